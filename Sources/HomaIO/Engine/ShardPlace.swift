// SPDX-License-Identifier: Apache-2.0

import HomaCore

/// Which of a node's engines one is.
struct ShardPlace {
    var index = 0
    var count = 1
    /// What the engines of a node share; nil where there is one only.
    var group: ShardGroup?
    /// The receive region of the first engine; nil for that one itself.
    var region: ReceiveRegion?
    /// Who the node is until it ends: the same for all its engines.
    var life: HostLife = {
        var random = SystemRandomNumberGenerator()
        return HostLife(using: &random)
    }()
}
