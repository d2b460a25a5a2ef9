// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CHomaPosix.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static int is_ipv4(const struct homa_address *address) {
    return address->high == 0 && address->low >> 32 == 0xFFFF;
}

int homa_store_address(const struct homa_address *address, int family, struct sockaddr_storage *result) {
    if (family == AF_INET) {
        if (!is_ipv4(address)) return -EAFNOSUPPORT;
        struct sockaddr_in *in = (struct sockaddr_in *)result;
        memset(in, 0, sizeof *in);
        in->sin_family = AF_INET;
        in->sin_port = htobe16(address->port);
        in->sin_addr.s_addr = htobe32((uint32_t)address->low);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)result;
    uint64_t halves[2] = {htobe64(address->high), htobe64(address->low)};
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htobe16(address->port);
    in6->sin6_flowinfo = 0;
    in6->sin6_scope_id = address->scope;
    memcpy(&in6->sin6_addr, halves, sizeof halves);
    return sizeof *in6;
}

int homa_load_address(const void *sockaddr, size_t length, struct homa_address *result) {
    sa_family_t family;
    if (length < sizeof family) return -EAFNOSUPPORT;
    memcpy(&family, sockaddr, sizeof family);
    if (family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        const struct sockaddr_in *in = sockaddr;
        result->high = 0;
        result->low = 0xFFFF00000000 | be32toh(in->sin_addr.s_addr);
        result->scope = 0;
        result->port = be16toh(in->sin_port);
        return 0;
    }
    if (family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        const struct sockaddr_in6 *in6 = sockaddr;
        uint64_t halves[2];
        memcpy(halves, &in6->sin6_addr, sizeof halves);
        result->high = be64toh(halves[0]);
        result->low = be64toh(halves[1]);
        result->scope = in6->sin6_scope_id;
        result->port = be16toh(in6->sin6_port);
        return 0;
    }
    return -EAFNOSUPPORT;
}
