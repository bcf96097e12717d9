// SPDX-License-Identifier: Apache-2.0
// Process 1 of the test guest: proves by what it leaves behind which runs of the guest there were and what they wrote.
//
// - Writes numbered records to /dev/vda and says `record N` on the console only after record N is durable. Counting goes on
//   after the highest record found, so whoever read `record N` can later demand records 1..N from the disk.
// - Sends (vm, boot id, counter, records) by UDP to a collector, from a process that never waits for the disk: two runs of
//   one guest at the same time show there even when one of them cannot write.
// - Powers off when the power button is pressed, and obeys a few console lines (see `obey`).
//
// Kernel command line: mcv.vm=NAME mcv.interval_ms=200 mcv.ip=ADDRESS/PREFIX|dhcp mcv.collector=ADDRESS:PORT
// mcv.on_power=ignore mcv.probe (print the banner and power off).
#define _GNU_SOURCE
#include "record.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/input.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static struct {
    char vm[32];
    unsigned interval_ms;
    char ip[32];
    char collector[64];
    bool ignore_power;
    bool probe;
} options = {.vm = "guest", .interval_ms = 200};

static char boot_id_text[40];
static uint8_t boot_id[16];
static volatile uint64_t *durable_records; // written by the recorder, read by the process that reports

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void wait_ms(unsigned ms) {
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
}

// How long a line waits for a console that is behind, or that the other process writes to: it does not block, since records
// must go on when nobody reads the console.
static unsigned console_patience_ms = 100;

// One write a line, so that lines of the two processes do not mix.
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof text - 2)
        length = (int)sizeof text - 2;
    text[length++] = '\n';
    uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + (uint64_t)console_patience_ms * 1000000u;
    for (int done = 0; done < length;) {
        ssize_t written = write(STDOUT_FILENO, text + done, (size_t)(length - done));
        if (written >= 0)
            done += (int)written;
        else if (errno != EAGAIN || clock_ns(CLOCK_MONOTONIC) >= deadline)
            return; // no console, or nobody reads it
        else
            wait_ms(2);
    }
}

static size_t read_file(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0 ? (size_t)length : 0;
}

static void mount_all(void) {
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mkdir("/dev", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sysfs", "/sys", "sysfs", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    int console = open("/dev/console", O_RDWR);
    for (int fd = 0; console >= 0 && fd < 3; ++fd)
        dup2(console, fd);
}

static int by_name(const struct dirent **one, const struct dirent **two) { return strcmp((*one)->d_name, (*two)->d_name); }

// Files in /modules are named so that dependencies come first.
static void load_modules(void) {
    struct dirent **entries = NULL;
    int count = scandir("/modules", &entries, NULL, by_name);
    for (int i = 0; i < count; ++i) {
        char path[300];
        snprintf(path, sizeof path, "/modules/%s", entries[i]->d_name);
        int fd = entries[i]->d_name[0] != '.' ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0)
            continue;
        if (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)
            say("module %s: %s", entries[i]->d_name, strerror(errno));
        close(fd);
    }
}

static void read_options(void) {
    static char line[4096];
    read_file("/proc/cmdline", line, sizeof line);
    char *save = NULL;
    for (char *word = strtok_r(line, " \n", &save); word != NULL; word = strtok_r(NULL, " \n", &save)) {
        sscanf(word, "mcv.vm=%31s", options.vm);
        sscanf(word, "mcv.interval_ms=%u", &options.interval_ms);
        sscanf(word, "mcv.ip=%31s", options.ip);
        sscanf(word, "mcv.collector=%63s", options.collector);
        options.ignore_power |= strcmp(word, "mcv.on_power=ignore") == 0;
        options.probe |= strcmp(word, "mcv.probe") == 0;
    }
    if (options.interval_ms == 0)
        options.interval_ms = 1;
}

static void read_boot_id(void) {
    read_file("/proc/sys/kernel/random/boot_id", boot_id_text, sizeof boot_id_text);
    boot_id_text[strcspn(boot_id_text, "\n")] = '\0';
    int digits = 0;
    for (const char *c = boot_id_text; *c != '\0' && digits < 32; ++c) {
        if (*c == '-')
            continue;
        uint8_t value = (uint8_t)(*c <= '9' ? *c - '0' : *c - 'a' + 10);
        boot_id[digits / 2] = (uint8_t)(boot_id[digits / 2] << 4 | value);
        ++digits;
    }
}

// What virtualization the guest itself could use: tells a machine's KVM that nests from one that does not.
static const char *nested_virtualization(void) {
    static char text[16384];
    read_file("/proc/cpuinfo", text, sizeof text);
    return strstr(text, " svm ") != NULL ? "svm" : strstr(text, " vmx ") != NULL ? "vmx" : "none";
}

static void wake(int signal_number) { (void)signal_number; }

// The last words are out before the machine ends: the kernel does not wait for a console that is behind. Nobody may read it.
static void end_machine(int how, const char *last_words) {
    console_patience_ms = 10000;
    say("%s", last_words);
    struct sigaction interrupt = {.sa_handler = wake};
    sigaction(SIGALRM, &interrupt, NULL);
    alarm(10);
    tcdrain(STDOUT_FILENO);
    reboot(how);
    for (;;)
        pause();
}

// --- recorder ------------------------------------------------------------------------------------------------------------

static int open_disk(uint64_t *records) {
    uint64_t deadline = clock_ns(CLOCK_MONOTONIC) + 5000000000u;
    int fd = -1;
    while ((fd = open("/dev/vda", O_RDWR | O_DIRECT | O_CLOEXEC)) < 0 && clock_ns(CLOCK_MONOTONIC) < deadline)
        wait_ms(20);
    uint64_t bytes = 0;
    if (fd >= 0 && ioctl(fd, BLKGETSIZE64, &bytes) != 0)
        bytes = 0;
    *records = bytes / record_size;
    return fd;
}

// The number of valid records from the first on. Exits the recorder when the disk cannot be read.
static uint64_t count_records(int fd, uint8_t *buffer, size_t size) {
    uint64_t count = 0;
    for (;;) {
        ssize_t length = pread(fd, buffer, size, (off_t)(count * record_size));
        if (length < 0) {
            say("read failed: %s", strerror(errno));
            _exit(1);
        }
        size_t filled = (size_t)length / record_size;
        for (size_t i = 0; i < filled; ++i) {
            if (!record_is_valid((const struct Record *)(buffer + i * record_size), count + 1))
                return count;
            ++count;
        }
        if (filled < size / record_size)
            return count;
    }
}

static void fill_record(struct Record *record, uint64_t number) {
    memset(record, 0, sizeof *record);
    memcpy(record->magic, record_magic, sizeof record_magic);
    record->number = number;
    memcpy(record->boot_id, boot_id, sizeof boot_id);
    record->time_ns = clock_ns(CLOCK_REALTIME);
    memcpy(record->vm, options.vm, sizeof record->vm);
    record->checksum = record_checksum(record);
}

static void run_recorder(void) {
    uint64_t room = 0;
    int fd = open_disk(&room);
    if (fd < 0) {
        say("no disk");
        _exit(0);
    }
    enum { scan_size = 64 * 1024 };
    uint8_t *buffer = aligned_alloc(4096, scan_size);
    uint64_t number = count_records(fd, buffer, scan_size);
    say("found %llu records", (unsigned long long)number);
    *durable_records = number;
    for (bool failing = false; number < room;) {
        fill_record((struct Record *)buffer, number + 1);
        bool written = pwrite(fd, buffer, record_size, (off_t)(number * record_size)) == record_size && fdatasync(fd) == 0;
        if (written) {
            ++number;
            *durable_records = number;
            say("record %llu", (unsigned long long)number);
        } else if (!failing) {
            say("write failed at record %llu: %s", (unsigned long long)(number + 1), strerror(errno));
        }
        failing = !written;
        wait_ms(options.interval_ms);
    }
    say("disk full");
    _exit(0);
}

// --- network -------------------------------------------------------------------------------------------------------------

static void run_dhcp(void) {
    if (fork() == 0) {
        execl("/bin/busybox", "udhcpc", "-f", "-q", "-i", "eth0", "-t", "100", "-T", "1", "-s", "/bin/dhcp-event", (char *)NULL);
        _exit(127);
    }
}

static bool set_address(int fd, const char *text) {
    char address[32];
    unsigned prefix = 24;
    if (sscanf(text, "%31[0-9.]/%u", address, &prefix) < 1 || prefix > 32)
        return false;
    struct ifreq request = {0};
    strcpy(request.ifr_name, "eth0");
    struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
    in->sin_family = AF_INET;
    if (inet_pton(AF_INET, address, &in->sin_addr) != 1 || ioctl(fd, SIOCSIFADDR, &request) != 0)
        return false;
    in->sin_addr.s_addr = htonl(prefix == 0 ? 0 : 0xffffffffu << (32 - prefix));
    return ioctl(fd, SIOCSIFNETMASK, &request) == 0;
}

static void set_link_up(int fd) {
    struct ifreq request = {0};
    strcpy(request.ifr_name, "eth0");
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0) {
        request.ifr_flags |= IFF_UP;
        ioctl(fd, SIOCSIFFLAGS, &request);
    }
}

// The socket reports go out by, or -1 without collector.
static int start_network(struct sockaddr_in *collector) {
    if (options.ip[0] == '\0')
        return -1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    set_link_up(fd);
    if (strcmp(options.ip, "dhcp") == 0)
        run_dhcp();
    else if (!set_address(fd, options.ip))
        say("address %s: %s", options.ip, strerror(errno));
    char address[64];
    unsigned port = 0;
    if (sscanf(options.collector, "%63[0-9.]:%u", address, &port) != 2 || inet_pton(AF_INET, address, &collector->sin_addr) != 1)
        return -1;
    collector->sin_family = AF_INET;
    collector->sin_port = htons((uint16_t)port);
    return fd;
}

static void report(int fd, const struct sockaddr_in *collector, uint64_t counter) {
    char text[160];
    int length = snprintf(text, sizeof text, "mcv-guest %s %s %llu %llu", options.vm, boot_id_text, (unsigned long long)counter,
                          (unsigned long long)*durable_records);
    sendto(fd, text, (size_t)length, 0, (const struct sockaddr *)collector, sizeof *collector);
}

// --- commands ------------------------------------------------------------------------------------------------------------

// Console lines: how tests make the guest end in each way a guest can end.
static void obey(const char *line) {
    if (strcmp(line, "poweroff") == 0) {
        end_machine(RB_POWER_OFF, "powering off");
    } else if (strcmp(line, "reboot") == 0) {
        end_machine(RB_AUTOBOOT, "rebooting");
    } else if (strcmp(line, "crash") == 0) {
        int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "c", 1) != 1)
            say("crash: %s", strerror(errno));
    } else if (strcmp(line, "ignore-power") == 0) {
        options.ignore_power = true;
        say("ignoring the power button");
    } else if (line[0] != '\0') {
        say("heard: %s", line);
    }
}

static void read_console(void) {
    static char line[128];
    static size_t used;
    char c;
    while (read(STDIN_FILENO, &c, 1) == 1) {
        if (c != '\n' && c != '\r') {
            if (used < sizeof line - 1)
                line[used++] = c;
            continue;
        }
        line[used] = '\0';
        used = 0;
        obey(line);
        return;
    }
}

static bool power_pressed(int fd) {
    struct input_event event;
    bool pressed = false;
    while (read(fd, &event, sizeof event) == (ssize_t)sizeof event)
        pressed |= event.type == EV_KEY && event.code == KEY_POWER && event.value == 1;
    return pressed;
}

static int open_buttons(struct pollfd *polled, int limit) {
    int count = 0;
    for (int number = 0; number < 16 && count < limit; ++number) {
        char path[32];
        snprintf(path, sizeof path, "/dev/input/event%d", number);
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0)
            polled[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    return count;
}

static void serve(void) {
    struct sockaddr_in collector = {0};
    int report_fd = start_network(&collector);
    struct pollfd polled[9] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    int count = 1 + open_buttons(polled + 1, 8);
    say("buttons %d", count - 1);
    fcntl(STDIN_FILENO, F_SETFL, O_RDWR | O_NONBLOCK);
    uint64_t counter = 0, next = clock_ns(CLOCK_MONOTONIC);
    for (;;) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        if (report_fd >= 0 && now >= next) {
            report(report_fd, &collector, ++counter);
            next = now + (uint64_t)options.interval_ms * 1000000u;
        }
        int wait = report_fd >= 0 ? (int)((next - now) / 1000000u) + 1 : 1000;
        poll(polled, (nfds_t)count, wait);
        if (polled[0].revents & POLLIN)
            read_console();
        if (polled[0].revents & (POLLERR | POLLHUP))
            polled[0].fd = -1; // no console; do not spin
        for (int i = 1; i < count; ++i) {
            if (!(polled[i].revents & POLLIN) || !power_pressed(polled[i].fd))
                continue;
            if (!options.ignore_power)
                end_machine(RB_POWER_OFF, "powering off");
            say("power button ignored");
        }
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
    }
}

int main(void) {
    mount_all();
    read_options();
    read_boot_id();
    reboot(RB_DISABLE_CAD);
    say("mcv-guest vm=%s boot=%s virt=%s", options.vm, boot_id_text, nested_virtualization());
    if (options.probe)
        end_machine(RB_POWER_OFF, "powering off");
    load_modules();
    durable_records = mmap(NULL, sizeof *durable_records, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fork() == 0)
        run_recorder();
    serve();
}
