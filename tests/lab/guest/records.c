// SPDX-License-Identifier: Apache-2.0
// Reads a test guest's disk (or an image or a copy of it) and says what it wrote, as JSON on one line:
//
//   records DEVICE
//   {"consecutive": N, "beyond": M, "boots": [{"id": "…", "first": 1, "last": 20, "records": 20}, …], "mixed": false}
//
// consecutive: records 1..N are there and whole. beyond: valid records after a gap (a lost write). mixed: the records of one
// boot are interrupted by those of another, so two runs of the guest wrote at the same time. Exit 0 when neither, else 1.
#define _GNU_SOURCE
#include "record.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { max_boots = 4096, chunk_size = 1024 * 1024 };

struct Boot {
    uint8_t id[16];
    unsigned long long first, last, records;
};

static struct Boot boots[max_boots];
static int boot_count;

static void note_boot(const struct Record *record) {
    int i = boot_count - 1;
    while (i >= 0 && memcmp(boots[i].id, record->boot_id, sizeof record->boot_id) != 0)
        --i;
    if (i < 0) {
        if (boot_count == max_boots) {
            fprintf(stderr, "records: more than %d boots\n", max_boots);
            exit(2);
        }
        i = boot_count++;
        memcpy(boots[i].id, record->boot_id, sizeof record->boot_id);
        boots[i].first = record->number;
    }
    boots[i].last = record->number;
    ++boots[i].records;
}

int main(int argc, char **argv) {
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        fprintf(stderr, argc == 2 ? "records: cannot open %s\n" : "usage: records DEVICE\n", argc == 2 ? argv[1] : "");
        return 2;
    }
    unsigned long long number = 0, consecutive = 0, beyond = 0;
    uint8_t *chunk = aligned_alloc(4096, chunk_size);
    for (ssize_t length; (length = read(fd, chunk, chunk_size)) > 0;) {
        for (ssize_t at = 0; at + record_size <= length; at += record_size) {
            const struct Record *record = (const struct Record *)(chunk + at);
            ++number;
            if (!record_is_valid(record, number))
                continue;
            if (consecutive == number - 1)
                consecutive = number;
            else
                ++beyond;
            note_boot(record);
        }
    }
    bool mixed = false;
    printf("{\"consecutive\": %llu, \"beyond\": %llu, \"boots\": [", consecutive, beyond);
    for (int i = 0; i < boot_count; ++i) {
        printf("%s{\"id\": \"", i == 0 ? "" : ", ");
        for (int byte = 0; byte < 16; ++byte)
            printf("%02x%s", boots[i].id[byte], byte == 3 || byte == 5 || byte == 7 || byte == 9 ? "-" : "");
        printf("\", \"first\": %llu, \"last\": %llu, \"records\": %llu}", boots[i].first, boots[i].last, boots[i].records);
        mixed |= boots[i].records != boots[i].last - boots[i].first + 1 && beyond == 0;
    }
    printf("], \"mixed\": %s}\n", mixed ? "true" : "false");
    return mixed || beyond > 0 ? 1 : 0;
}
