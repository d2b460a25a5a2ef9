// SPDX-License-Identifier: Apache-2.0

import HomaCore
import HomaBase

/// Which of a node's engines one is.
struct ShardPlace {
    var index = 0
    var count = 1
    /// What the engines of a node share; nil where there is one only.
    var group: ShardGroup?
    /// The receive region of the first engine; nil for that one itself.
    var region: ReceiveRegion?
    /// Tasks that run handlers, whichever engine's requests those are for.
    var handlers = HandlerTasks()
    /// The first engine's first identifier; nil for that one itself. Servers remember what ran by a window of a node's
    /// identifiers, so its engines must not begin far apart.
    var firstRPC: RPCID?
    /// Who the node is until it ends: the same for all its engines.
    var life: HostLife = {
        var random = SystemRandomNumberGenerator()
        return HostLife(using: &random)
    }()
}
