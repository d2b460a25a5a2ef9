// SPDX-License-Identifier: Apache-2.0

import Foundation
import HomaScenarios

/// The folder of finished points: a file each, named by the point's key.
///
/// A file appears whole or not at all, so a run that is killed loses what it had under way and no more, and any number
/// of processes may share the folder.
public final class PointStore {
    /// A finished point.
    struct Entry {
        /// Nil when it failed.
        var result: JSONValue?
        var failure: String?
        var isOfOtherBuild: Bool
    }

    public let folder: String
    private let build: String
    /// Takes no point that another build has made.
    private let onlyOwnBuild: Bool
    private var entries: [String: Entry] = [:]

    /// Makes the folder unless it is there; what it lies in has to be.
    ///
    /// - Parameter build: names the program, so that results of another one can be told from its own.
    public init(folder: String, build: String, onlyOwnBuild: Bool = false) throws {
        self.folder = folder
        self.build = build
        self.onlyOwnBuild = onlyOwnBuild
        try OutputFolder.make(folder)
    }

    func entry(_ key: String) -> Entry? {
        if let entry = entries[key] { return entry }
        guard let data = FileManager.default.contents(atPath: path(key)),
            let json = try? JSONValue(parsing: Array(data)), json["key"]?.text == key, let result = json["result"]
        else { return nil }
        let entry = Entry(result: result, failure: nil, isOfOtherBuild: json["build"]?.text != build)
        guard !(onlyOwnBuild && entry.isOfOtherBuild) else { return nil }
        entries[key] = entry
        return entry
    }

    /// Keeps a finished point. When this returns, it survives the end of the process.
    func keep(_ key: String, _ result: JSONValue) throws {
        let text = JSONValue.object([
            .init("key", .string(key)), .init("build", .string(build)), .init("result", result),
        ])
        try Data((text.description + "\n").utf8).write(to: URL(filePath: path(key)), options: .atomic)
        entries[key] = Entry(result: result, failure: nil, isOfOtherBuild: false)
    }

    /// Notes that a point cannot be had; forgotten at the end of the process.
    func fail(_ key: String, _ reason: String) {
        entries[key] = Entry(result: nil, failure: reason, isOfOtherBuild: false)
    }

    /// The records that another command wrote into the folder above, one JSON object a line; none when there are none.
    func records(_ name: String) -> [JSONValue] {
        let path = URL(filePath: folder).deletingLastPathComponent().appending(path: name).path
        guard let data = FileManager.default.contents(atPath: path) else { return [] }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap { try? JSONValue(parsing: $0) }
    }

    private func path(_ key: String) -> String { "\(folder)/\(key).json" }
}
