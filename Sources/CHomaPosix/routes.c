// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CHomaPosix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

// One question and its answer fit; a device's description is the longest, with a few kilobytes.
#define ANSWER_BYTES 16384

struct question {
    struct nlmsghdr header;
    union {
        struct rtmsg route;
        struct ndmsg neighbor;
        struct ifinfomsg link;
    } body;
    char attributes[128];
};

int homa_routes_open(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -errno;
    // The kernel answers before the question's call returns; this is for a kernel that does not.
    struct timeval limit = {.tv_usec = 10000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static void add(struct question *question, unsigned short type, const void *value, unsigned short length) {
    struct rtattr *attribute = (struct rtattr *)((char *)question + NLMSG_ALIGN(question->header.nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = RTA_LENGTH(length);
    memcpy(RTA_DATA(attribute), value, length);
    question->header.nlmsg_len = NLMSG_ALIGN(question->header.nlmsg_len) + RTA_SPACE(length);
}

static int is_ipv4(const struct homa_address *address) {
    return address->high == 0 && address->low >> 32 == 0xFFFF;
}

// The address in network byte order, 4 or 16 bytes; their number.
static unsigned short bytes_of(const struct homa_address *address, uint8_t *bytes) {
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(address->high >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(address->low >> (56 - 8 * i));
    }
    if (!is_ipv4(address)) return 16;
    memmove(bytes, bytes + 12, 4);
    return 4;
}

static void read_bytes(const uint8_t *bytes, size_t length, struct homa_address *result) {
    uint8_t all[16] = {[10] = 0xFF, [11] = 0xFF};
    if (length != 4 && length != 16) return;
    memcpy(length == 4 ? all + 12 : all, bytes, length);
    result->high = 0;
    result->low = 0;
    for (int i = 0; i < 8; i++) {
        result->high = result->high << 8 | all[i];
        result->low = result->low << 8 | all[8 + i];
    }
}

// Sends the question and reads the answer to it; late answers to earlier ones are thrown away.
static int ask(int fd, struct question *question, unsigned short answer_type, char *answer) {
    static _Thread_local uint32_t sequence;
    question->header.nlmsg_seq = ++sequence;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, question, question->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0)
        return -errno;
    for (int attempt = 0; attempt < 16; attempt++) {
        struct sockaddr_nl from;
        socklen_t from_length = sizeof from;
        ssize_t length = recvfrom(fd, answer, ANSWER_BYTES, 0, (struct sockaddr *)&from, &from_length);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return -errno;
        struct nlmsghdr *header = (struct nlmsghdr *)answer;
        if (from.nl_pid != 0 || !NLMSG_OK(header, (size_t)length) || header->nlmsg_seq != sequence) continue;
        if (header->nlmsg_type == NLMSG_ERROR) {
            int code = header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))
                           ? ((struct nlmsgerr *)NLMSG_DATA(header))->error : -EPROTO;
            return code < 0 ? code : -EPROTO;
        }
        return header->nlmsg_type == answer_type ? 0 : -EPROTO;
    }
    return -EPROTO;
}

static struct question question(unsigned short type, size_t body_bytes) {
    struct question question = {0};
    question.header.nlmsg_type = type;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.header.nlmsg_len = NLMSG_LENGTH((uint32_t)body_bytes);
    return question;
}

static void read_metrics(struct rtattr *attribute, struct homa_route *result) {
    int left = RTA_PAYLOAD(attribute);
    for (struct rtattr *metric = RTA_DATA(attribute); RTA_OK(metric, left); metric = RTA_NEXT(metric, left)) {
        if (metric->rta_type == RTAX_MTU && RTA_PAYLOAD(metric) >= sizeof(uint32_t))
            memcpy(&result->mtu, RTA_DATA(metric), sizeof(uint32_t));
    }
}

static void read_expiry(struct rtattr *attribute, int *expires) {
    struct rta_cacheinfo info;
    if (RTA_PAYLOAD(attribute) < sizeof info) return;
    memcpy(&info, RTA_DATA(attribute), sizeof info);
    *expires = info.rta_expires != 0;
}

// `flags`: RTM_F_FIB_MATCH for what the routing table says, whatever has been reported of the path since.
static int ask_path(int fd, const struct homa_address *target, const struct homa_address *source, unsigned flags,
                    struct homa_route *result, int *expires) {
    uint8_t bytes[16];
    struct question question_ = question(RTM_GETROUTE, sizeof(struct rtmsg));
    unsigned short length = bytes_of(target, bytes);
    question_.body.route.rtm_family = length == 4 ? AF_INET : AF_INET6;
    question_.body.route.rtm_dst_len = (unsigned char)(8 * length);
    question_.body.route.rtm_flags = flags;
    add(&question_, RTA_DST, bytes, length);
    int has_source = source->high != 0 || (source->low != 0 && source->low != 0xFFFF00000000);
    if (has_source) {
        question_.body.route.rtm_src_len = (unsigned char)(8 * length);
        bytes_of(source, bytes);
        add(&question_, RTA_SRC, bytes, length);
    }
    if (target->scope != 0) add(&question_, RTA_OIF, &target->scope, sizeof target->scope);

    _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    int code = ask(fd, &question_, RTM_NEWROUTE, answer);
    if (code < 0) return code;
    struct nlmsghdr *header = (struct nlmsghdr *)answer;
    struct rtmsg *route = NLMSG_DATA(header);
    result->is_ethernet = route->rtm_type == RTN_UNICAST;
    result->next_hop = *target;
    result->source = *source;
    int left = RTM_PAYLOAD(header);
    for (struct rtattr *a = RTM_RTA(route); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        size_t count = RTA_PAYLOAD(a);
        switch (a->rta_type) {
        case RTA_OIF: if (count >= 4) memcpy(&result->interface, RTA_DATA(a), 4); break;
        case RTA_GATEWAY: read_bytes(RTA_DATA(a), count, &result->next_hop); break;
        case RTA_VIA: if (count > 2) read_bytes((uint8_t *)RTA_DATA(a) + 2, count - 2, &result->next_hop); break;
        // For IPv6 the one that would be chosen, whichever was asked about.
        case RTA_PREFSRC: if (!has_source) read_bytes(RTA_DATA(a), count, &result->source); break;
        case RTA_METRICS: read_metrics(a, result); break;
        case RTA_CACHEINFO: read_expiry(a, expires); break;
        // A tunnel or a label: the kernel must build such packets.
        case RTA_ENCAP: case RTA_ENCAP_TYPE: case RTA_NEWDST: result->is_ethernet = 0; break;
        default: break;
        }
    }
    return 0;
}

// Anybody who knows our addresses can make the kernel believe, for ten minutes, that the path is narrow: the kernel
// checks a report by the socket only. Reports come to us as well, and we check them by the RPC.
static int find_path(int fd, const struct homa_address *target, const struct homa_address *source,
                     struct homa_route *result) {
    int expires = 0;
    int code = ask_path(fd, target, source, 0, result, &expires);
    if (code < 0 || !expires) return code;
    struct homa_route match = {0};
    result->mtu = ask_path(fd, target, source, RTM_F_FIB_MATCH, &match, &expires) == 0 ? match.mtu : 0;
    return 0;
}

static int find_device(int fd, struct homa_route *result) {
    struct question question_ = question(RTM_GETLINK, sizeof(struct ifinfomsg));
    question_.body.link.ifi_index = (int)result->interface;
    _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    int code = ask(fd, &question_, RTM_NEWLINK, answer);
    if (code < 0) return code;
    struct nlmsghdr *header = (struct nlmsghdr *)answer;
    struct ifinfomsg *link = NLMSG_DATA(header);
    uint32_t mtu = 0;
    if (link->ifi_type != ARPHRD_ETHER || !(link->ifi_flags & IFF_UP) || link->ifi_flags & IFF_NOARP)
        result->is_ethernet = 0;
    int left = IFLA_PAYLOAD(header);
    for (struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type == IFLA_ADDRESS && RTA_PAYLOAD(a) == 6) memcpy(result->own_hardware, RTA_DATA(a), 6);
        if (a->rta_type == IFLA_MTU && RTA_PAYLOAD(a) >= 4) memcpy(&mtu, RTA_DATA(a), 4);
    }
    if (result->mtu == 0 || (mtu != 0 && mtu < result->mtu)) result->mtu = mtu;
    return 0;
}

// The neighbor's entry; none is no error, the kernel makes one when it sends something itself.
static void find_neighbor(int fd, struct homa_route *result) {
    uint8_t bytes[16];
    struct question question_ = question(RTM_GETNEIGH, sizeof(struct ndmsg));
    unsigned short length = bytes_of(&result->next_hop, bytes);
    question_.body.neighbor.ndm_family = length == 4 ? AF_INET : AF_INET6;
    question_.body.neighbor.ndm_ifindex = (int)result->interface;
    add(&question_, NDA_DST, bytes, length);
    _Alignas(struct nlmsghdr) char answer[ANSWER_BYTES];
    if (ask(fd, &question_, RTM_NEWNEIGH, answer) < 0) return;
    struct nlmsghdr *header = (struct nlmsghdr *)answer;
    struct ndmsg *neighbor = NLMSG_DATA(header);
    int confirmed = NUD_PERMANENT | NUD_REACHABLE | NUD_DELAY | NUD_PROBE;
    if (!(neighbor->ndm_state & (confirmed | NUD_STALE))) return;
    int left = (int)NLMSG_PAYLOAD(header, sizeof *neighbor);
    struct rtattr *a = (struct rtattr *)((char *)neighbor + NLMSG_ALIGN(sizeof *neighbor));
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type != NDA_LLADDR || RTA_PAYLOAD(a) != 6) continue;
        memcpy(result->neighbor_hardware, RTA_DATA(a), 6);
        result->has_neighbor = 1;
        result->is_confirmed = (neighbor->ndm_state & confirmed) != 0;
    }
}

int homa_find_route(int fd, const struct homa_address *target, const struct homa_address *source,
                    struct homa_route *result) {
    memset(result, 0, sizeof *result);
    int code = find_path(fd, target, source, result);
    if (code == 0 && result->is_ethernet) code = find_device(fd, result);
    if (code == 0 && result->is_ethernet) find_neighbor(fd, result);
    return code;
}

int homa_find_mtu(int fd, const struct homa_address *target, uint32_t *mtu) {
    struct homa_route route = {0};
    struct homa_address any = {.low = is_ipv4(target) ? 0xFFFF00000000 : 0};
    int code = find_path(fd, target, &any, &route);
    if (code == 0) code = find_device(fd, &route);
    *mtu = route.mtu;
    return code;
}

int homa_local_addresses(struct homa_address *result, unsigned capacity) {
    struct ifaddrs *list;
    if (getifaddrs(&list) < 0) return -errno;
    unsigned count = 0;
    for (struct ifaddrs *entry = list; entry != NULL && count < capacity; entry = entry->ifa_next) {
        if (entry->ifa_addr == NULL) continue;
        int is_v4 = entry->ifa_addr->sa_family == AF_INET;
        size_t length = is_v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
        if (homa_load_address(entry->ifa_addr, length, &result[count]) < 0) continue;
        result[count].scope = 0;
        result[count].port = 0;
        count++;
    }
    freeifaddrs(list);
    return (int)count;
}
