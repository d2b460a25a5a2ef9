// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A folder for results, as somebody named it.
///
/// The folder itself is made when it is missing, but not what it is to lie in: a path that was mistyped is told, and
/// does not become a tree of folders somewhere else.
public enum OutputFolder {
    /// Why results cannot be put there.
    public struct Problem: Error, Equatable, CustomStringConvertible {
        public var description: String
    }

    /// Makes the folder unless it is there.
    public static func make(_ path: String) throws(Problem) {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
            guard isFolder.boolValue else { throw Problem(description: "\(path) is no folder") }
            return
        }
        try checkParent(of: path)
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else {
            throw Problem(description: "cannot make the folder \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// Throws unless the folder exists that a file or folder is to be put into.
    public static func checkParent(of path: String) throws(Problem) {
        let parent = URL(filePath: path).standardizedFileURL.deletingLastPathComponent().path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: parent, isDirectory: &isFolder), isFolder.boolValue else {
            throw Problem(description: "there is no folder \(parent), in which \(path) is to be")
        }
    }
}
