// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdint.h>

// Faults of the system for tests. The functions replace those of the C library in the test process, and do what they do
// until a fault is planted.

/// From now on sends to this UDP port, of whatever address, fail with `error`; 0: they do not any more.
void homa_fail_sends_to(uint16_t port, int error);
