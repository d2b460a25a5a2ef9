// SPDX-License-Identifier: Apache-2.0

import HomaBase

/// Responses that are kept though their clients are taken for dead.
struct RetainedResponses {
    /// In the order in which their clients fell silent.
    var list = SlabList<RPC.Calls>()
    var bytes = 0
}
