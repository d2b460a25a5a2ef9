// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The seeds of a test: every fifth of `all`, so that odd and even ones occur, or all of them with `HOMA_ALL_SEEDS` in
/// the environment, as `make seeds` and `.ci/run` have it.
func seeds(_ all: Range<UInt64>) -> [UInt64] {
    let isThorough = getenv("HOMA_ALL_SEEDS") != nil
    return all.filter { isThorough || $0 % 5 == 0 }
}
