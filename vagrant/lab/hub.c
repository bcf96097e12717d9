// SPDX-License-Identifier: Apache-2.0
// The lab's network: one process that carries Ethernet frames between the network cards of the lab's machines.
//
// Every port is a pair of unix datagram sockets as QEMU's `-netdev dgram` uses them (or, as root, a tap device), and belongs
// to one link. A frame that comes in at a port leaves at all other ports of its link. Each port can be cut (both ways or
// one), slowed and made lossy alone. No frame ever reaches the machine's own network, so labs do not disturb each other.
//
//   hub run CONTROL PORT...     PORT = LINK:NODE:unix:OURS:THEIRS  or  LINK:NODE:tap:DEVICE
//   hub ctl CONTROL COMMAND...  sends one command, prints the answer, exits 0 when it begins with "ok"
//
// Commands (NODE and LINK may be `all`; directions are the node's view: out = what it sends):
//   cut NODE LINK [in|out]   heal NODE LINK [in|out]   slow NODE LINK MS   lose NODE LINK PERCENT   reset   status
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { max_ports = 64, max_frame = 72 * 1024, max_queued = 2048, burst = 64 };

struct Frame {
    struct Frame *next;
    uint64_t due_us;
    size_t length;
    uint8_t data[];
};

struct Port {
    char link[32];
    char node[32];
    int receive_fd;
    int send_fd; // the same as receive_fd for a tap
    bool is_tap;
    bool connected;
    struct sockaddr_un theirs;
    bool cut_in;
    bool cut_out;
    unsigned delay_ms; // added in each direction
    unsigned loss_percent;
    struct Frame *head;
    struct Frame *tail;
    unsigned queued;
    uint64_t frames_in, frames_out, dropped;
};

static struct Port ports[max_ports];
static int port_count;
static volatile sig_atomic_t stop_requested;

static void on_signal(int number) {
    (void)number;
    stop_requested = 1;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static struct sockaddr_un unix_address(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "hub: socket path too long: %s\n", path);
        exit(1);
    }
    strcpy(address.sun_path, path);
    return address;
}

static int bound_socket(int type, const char *path) {
    struct sockaddr_un address = unix_address(path);
    int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die(path);
    return fd;
}

static int open_tap(const char *device) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
        die(device);
    return fd;
}

static void add_port(char *text) {
    if (port_count == max_ports) {
        fprintf(stderr, "hub: too many ports\n");
        exit(1);
    }
    struct Port *port = &ports[port_count++];
    char *save = NULL;
    char *link = strtok_r(text, ":", &save), *node = strtok_r(NULL, ":", &save);
    char *kind = strtok_r(NULL, ":", &save), *first = strtok_r(NULL, ":", &save);
    char *second = strtok_r(NULL, ":", &save);
    if (first == NULL) {
        fprintf(stderr, "hub: bad port\n");
        exit(1);
    }
    snprintf(port->link, sizeof port->link, "%s", link);
    snprintf(port->node, sizeof port->node, "%s", node);
    if (strcmp(kind, "tap") == 0) {
        port->is_tap = true;
        port->receive_fd = port->send_fd = open_tap(first);
        return;
    }
    // Two sockets: a connected one is told when the other side has room again, an unconnected one takes frames from a
    // QEMU that was started anew.
    port->receive_fd = bound_socket(SOCK_DGRAM, first);
    port->send_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    port->theirs = unix_address(second != NULL ? second : "");
}

// True when the frame is gone (sent, or nobody is there to take it); false when the other side has no room now.
static bool try_send(struct Port *port, const uint8_t *data, size_t length) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (!port->is_tap && !port->connected) {
            if (connect(port->send_fd, (struct sockaddr *)&port->theirs, sizeof port->theirs) != 0)
                break;
            port->connected = true;
        }
        ssize_t sent = port->is_tap ? write(port->send_fd, data, length) : send(port->send_fd, data, length, MSG_NOSIGNAL);
        if (sent >= 0) {
            ++port->frames_out;
            return true;
        }
        if (errno == EAGAIN || errno == ENOBUFS)
            return false;
        port->connected = false;
    }
    ++port->dropped;
    return true;
}

static void enqueue(struct Port *port, const uint8_t *data, size_t length, uint64_t due_us) {
    if (port->queued >= max_queued) {
        ++port->dropped;
        return;
    }
    struct Frame *frame = malloc(sizeof *frame + length);
    if (frame == NULL)
        die("malloc");
    frame->due_us = due_us;
    frame->length = length;
    memcpy(frame->data, data, length);
    ++port->queued;
    if (port->tail == NULL || port->tail->due_us <= due_us) { // the usual case: last in, last out
        frame->next = NULL;
        *(port->tail == NULL ? &port->head : &port->tail->next) = frame;
        port->tail = frame;
        return;
    }
    struct Frame **place = &port->head;
    while ((*place)->due_us <= due_us)
        place = &(*place)->next;
    frame->next = *place;
    *place = frame;
}

// Sends what is due. A frame that was cut off while it waited is lost, as on a wire.
static void flush_queue(struct Port *port, uint64_t now) {
    while (port->head != NULL && port->head->due_us <= now) {
        struct Frame *frame = port->head;
        if (port->cut_in)
            ++port->dropped;
        else if (!try_send(port, frame->data, frame->length))
            return;
        port->head = frame->next;
        if (port->head == NULL)
            port->tail = NULL;
        --port->queued;
        free(frame);
    }
}

static bool is_lost(const struct Port *port) { return port->loss_percent > 0 && (unsigned)(random() % 100) < port->loss_percent; }

static void forward(struct Port *from, const uint8_t *data, size_t length, uint64_t now) {
    if (from->cut_out || is_lost(from)) {
        ++from->dropped;
        return;
    }
    for (int i = 0; i < port_count; ++i) {
        struct Port *to = &ports[i];
        if (to == from || strcmp(to->link, from->link) != 0)
            continue;
        if (to->cut_in || is_lost(to)) {
            ++to->dropped;
            continue;
        }
        uint64_t delay_us = 1000u * (uint64_t)(from->delay_ms + to->delay_ms);
        if (delay_us > 0 || to->head != NULL || !try_send(to, data, length))
            enqueue(to, data, length, now + delay_us);
    }
}

static void receive(struct Port *port, uint64_t now) {
    static uint8_t data[max_frame];
    for (int i = 0; i < burst; ++i) {
        ssize_t length = read(port->receive_fd, data, sizeof data);
        if (length <= 0)
            return;
        ++port->frames_in;
        forward(port, data, (size_t)length, now);
    }
}

static void answer(int fd, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (write(fd, text, (size_t)length) < 0)
        perror("hub: answer");
}

static void print_status(int fd) {
    answer(fd, "ok\n");
    for (int i = 0; i < port_count; ++i) {
        const struct Port *port = &ports[i];
        const char *state = port->cut_in && port->cut_out ? "cut" : port->cut_in ? "cut-in" : port->cut_out ? "cut-out" : "open";
        answer(fd, "%-8s %-8s %-7s delay_ms=%u loss=%u%% sent=%llu received=%llu dropped=%llu waiting=%u\n", port->node, port->link,
               state, port->delay_ms, port->loss_percent, (unsigned long long)port->frames_in,
               (unsigned long long)port->frames_out, (unsigned long long)port->dropped, port->queued);
    }
}

// Applies one verb to one port; false when the verb or its argument is unknown.
static bool apply(struct Port *port, const char *verb, const char *argument) {
    bool set = strcmp(verb, "cut") == 0;
    if (set || strcmp(verb, "heal") == 0) {
        if (argument != NULL && strcmp(argument, "in") != 0 && strcmp(argument, "out") != 0)
            return false;
        if (argument == NULL || strcmp(argument, "in") == 0)
            port->cut_in = set;
        if (argument == NULL || strcmp(argument, "out") == 0)
            port->cut_out = set;
        return true;
    }
    char *end = NULL;
    unsigned long value = argument != NULL ? strtoul(argument, &end, 10) : 0;
    if (end == NULL || end == argument || *end != '\0' || value > 60000)
        return false;
    if (strcmp(verb, "slow") == 0)
        port->delay_ms = (unsigned)value;
    else if (strcmp(verb, "lose") == 0)
        port->loss_percent = (unsigned)value;
    else
        return false;
    return true;
}

static void command(int fd, char *line) {
    char *save = NULL;
    char *verb = strtok_r(line, " \n", &save), *node = strtok_r(NULL, " \n", &save);
    char *link = strtok_r(NULL, " \n", &save), *argument = strtok_r(NULL, " \n", &save);
    if (verb != NULL && strcmp(verb, "status") == 0) {
        print_status(fd);
        return;
    }
    if (verb != NULL && strcmp(verb, "reset") == 0) {
        for (int i = 0; i < port_count; ++i) {
            ports[i].cut_in = ports[i].cut_out = false;
            ports[i].delay_ms = ports[i].loss_percent = 0;
        }
        answer(fd, "ok\n");
        return;
    }
    int hit = 0;
    for (int i = 0; link != NULL && i < port_count; ++i) {
        struct Port *port = &ports[i];
        if ((strcmp(node, "all") != 0 && strcmp(node, port->node) != 0) || (strcmp(link, "all") != 0 && strcmp(link, port->link) != 0))
            continue;
        if (!apply(port, verb, argument)) {
            answer(fd, "error: bad command\n");
            return;
        }
        ++hit;
    }
    if (hit == 0)
        answer(fd, "error: no such port\n");
    else
        answer(fd, "ok %d\n", hit);
}

static void serve_control(int listen_fd) {
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct timeval patience = {.tv_sec = 1}; // a silent client must not stop the network
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    char line[256];
    ssize_t length = read(fd, line, sizeof line - 1);
    if (length > 0) {
        line[length] = '\0';
        command(fd, line);
    }
    close(fd);
}

static int poll_timeout_ms(uint64_t now) {
    int timeout = -1;
    for (int i = 0; i < port_count; ++i) {
        if (ports[i].head == NULL || ports[i].head->due_us <= now)
            continue; // nothing waits, or it waits for room and POLLOUT tells
        int wait = (int)((ports[i].head->due_us - now + 999) / 1000);
        if (timeout < 0 || wait < timeout)
            timeout = wait;
    }
    return timeout;
}

static int run(const char *control, char **texts, int count) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    for (int i = 0; i < count; ++i)
        add_port(texts[i]);
    int listen_fd = bound_socket(SOCK_STREAM, control);
    if (listen(listen_fd, 16) != 0)
        die("listen");

    struct pollfd polled[2 * max_ports + 1];
    while (!stop_requested) {
        uint64_t now = now_us();
        polled[0] = (struct pollfd){.fd = listen_fd, .events = POLLIN};
        for (int i = 0; i < port_count; ++i) {
            bool wants_room = ports[i].head != NULL && ports[i].head->due_us <= now;
            polled[1 + 2 * i] = (struct pollfd){.fd = ports[i].receive_fd, .events = POLLIN};
            polled[2 + 2 * i] = (struct pollfd){.fd = wants_room ? ports[i].send_fd : -1, .events = POLLOUT};
        }
        if (poll(polled, (nfds_t)(2 * port_count + 1), poll_timeout_ms(now)) < 0 && errno != EINTR)
            die("poll");
        now = now_us();
        for (int i = 0; i < port_count; ++i) {
            flush_queue(&ports[i], now);
            if (polled[1 + 2 * i].revents & POLLIN)
                receive(&ports[i], now);
        }
        if (polled[0].revents & POLLIN)
            serve_control(listen_fd);
    }
    unlink(control);
    return 0;
}

static int control_client(const char *control, char **words, int count) {
    struct sockaddr_un address = unix_address(control);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die(control);
    char line[256] = "";
    for (int i = 0; i < count; ++i) {
        strncat(line, words[i], sizeof line - strlen(line) - 2);
        strcat(line, i + 1 < count ? " " : "\n");
    }
    if (write(fd, line, strlen(line)) < 0)
        die("write");
    char text[16384];
    size_t used = 0;
    ssize_t length = 0;
    while (used < sizeof text - 1 && (length = read(fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)length;
    text[used] = '\0';
    bool ok = strncmp(text, "ok", 2) == 0;
    char *rest = strchr(text, '\n');
    fputs(ok && rest != NULL ? rest + 1 : text, ok ? stdout : stderr);
    return ok ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc >= 3 && strcmp(argv[1], "run") == 0)
        return run(argv[2], argv + 3, argc - 3);
    if (argc >= 4 && strcmp(argv[1], "ctl") == 0)
        return control_client(argv[2], argv + 3, argc - 3);
    fprintf(stderr, "usage: hub run CONTROL PORT... | hub ctl CONTROL COMMAND...\n");
    return 2;
}
