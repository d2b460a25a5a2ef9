// SPDX-License-Identifier: Apache-2.0

/// Which of a node's engines one is.
struct ShardPlace {
    var index = 0
    var count = 1
    /// What the engines of a node share; nil where there is one only.
    var group: ShardGroup?
    /// The receive region of the first engine; nil for that one itself.
    var region: ReceiveRegion?
    /// Says to peers whether the node was started anew: the same for all its engines.
    var incarnation = UInt8.random(in: 1 ... .max)
}
