// SPDX-License-Identifier: Apache-2.0
// A record on the test guest's disk. Record n (from 1) is sector n-1, so an acknowledged record has one place it must be.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { record_size = 512 };

struct Record {
    char magic[8];
    uint64_t number;
    uint8_t boot_id[16]; // of the guest's kernel: tells runs of one guest apart
    uint64_t time_ns;    // guest's wall clock
    char vm[32];
    uint8_t padding[record_size - 8 - 8 - 16 - 8 - 32 - 4];
    uint32_t checksum; // CRC-32 of all bytes before it
};
_Static_assert(sizeof(struct Record) == record_size, "one sector");

static const char record_magic[8] = {'M', 'C', 'V', 'R', 'E', 'C', '0', '1'};

static inline uint32_t record_checksum(const struct Record *record) {
    const uint8_t *byte = (const uint8_t *)record;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < offsetof(struct Record, checksum); ++i) {
        crc ^= byte[i];
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ (0xedb88320u & -(crc & 1u));
    }
    return ~crc;
}

static inline int record_is_valid(const struct Record *record, uint64_t number) {
    return memcmp(record->magic, record_magic, sizeof record_magic) == 0 && record->number == number &&
           record->checksum == record_checksum(record);
}
