/* SPDX-License-Identifier: Apache-2.0 */
/* rewrite DEVICE BLOCK: as a guest without stable pages. Sixty-four pages from BLOCK on are written in turn, without the page cache, and
 * changed while they are on their way; each is written once more unchanged a moment later. Ends by SIGTERM, with every page at rest. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { block = 4096, pages = 64 };

static volatile sig_atomic_t ended;
static volatile unsigned char *volatile page_in_flight;

static void on_term(int signal) { (void)signal; ended = 1; }

static void *scribble(void *unused) {
    for (uint32_t n = 0; !ended; ++n) {
        volatile unsigned char *page = page_in_flight;
        if (page) page[n % block] += 1;
    }
    return unused;
}

int main(int count, char **words) {
    if (count != 3) return 2;
    signal(SIGTERM, on_term);
    const int device = open(words[1], O_RDWR | O_DIRECT);
    const off_t first = (off_t)strtoull(words[2], NULL, 10) * block;
    unsigned char *memory = NULL;
    if (device < 0 || posix_memalign((void **)&memory, block, block * pages)) return perror(words[1]), 1;
    memset(memory, 1, block * pages);
    pthread_t thread;
    if (pthread_create(&thread, NULL, scribble, NULL)) return 1;
    for (unsigned n = 0; !ended; ++n) {
        unsigned char *page = memory + (n % pages) * block;
        const off_t where = first + (off_t)(n % pages) * block;
        page_in_flight = page;
        if (pwrite(device, page, block, where) != block) return perror("write"), 1;
        page_in_flight = NULL;
        usleep(2000);
        if (pwrite(device, page, block, where) != block) return perror("write"), 1;
        usleep(20000);
    }
    pthread_join(thread, NULL);
    for (unsigned n = 0; n < pages; ++n) {
        if (pwrite(device, memory + n * block, block, first + (off_t)n * block) != block) return perror("write"), 1;
    }
    return 0;
}
