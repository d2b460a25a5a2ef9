// SPDX-License-Identifier: Apache-2.0

/// What was made of a lab: as much as is needed to remove that and nothing else.
package struct LabState: Codable, Equatable, Sendable {
    /// A network namespace by name, and by what tells it from a later one of the same name.
    struct Namespace: Codable, Equatable, Sendable {
        var name: String
        /// The inode behind `/run/netns/NAME`, once it exists.
        var inode: UInt64?
    }

    package var description: LabDescription
    /// In the order they were made.
    var namespaces: [Namespace] = []
    /// Everything was made.
    package var isComplete = false

    var names: LabNames { LabNames(lab: description.name) }
}
