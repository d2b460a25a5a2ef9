// SPDX-License-Identifier: Apache-2.0

public import HomaSim

extension Scenario {
    /// A JSON that reads back as this scenario and says no more than it has to: what differs from presets and defaults.
    ///
    /// For command lines and examples. Results carry the whole of ``json``, which does not change its meaning when a
    /// default does.
    public var shortJSON: JSONValue {
        let bases: [JSONValue?] = [nil] + TopologyConfiguration.presetNames.map { .string($0) }
        let candidates = bases.map { base -> JSONValue in
            var document = json
            if let base, var topology = document["topology"]?.members {
                topology.insert(.init("preset", base), at: 0)
                document["topology"] = .object(topology)
            }
            return pruned(document, below: [], of: document)
        }
        return candidates.min { $0.description.utf8.count < $1.description.utf8.count }.map(Self.abbreviated) ?? json
    }

    /// Leaves out every member without which the document still reads as this scenario.
    private func pruned(_ document: JSONValue, below path: [String], of object: JSONValue) -> JSONValue {
        var document = document
        for member in object.members ?? [] {
            let here = path + [member.key]
            // The others are told by their difference to it.
            if here == ["topology", "preset"] { continue }
            let without = document.removing(here[...])
            if (try? Scenario(json: without)) == self {
                document = without
            } else {
                document = pruned(document, below: here, of: member.value)
            }
        }
        return document
    }

    /// `{"preset": "x"}` is `"x"`.
    private static func abbreviated(_ document: JSONValue) -> JSONValue {
        var document = document
        for (section, key) in [("topology", "preset"), ("transport", "kind")] {
            guard let members = document[section]?.members, members.count == 1, members[0].key == key else { continue }
            document[section] = members[0].value
        }
        return document
    }
}

extension JSONValue {
    fileprivate func removing(_ path: ArraySlice<String>) -> JSONValue {
        guard let key = path.first, let inner = self[key] else { return self }
        var copy = self
        copy[key] = path.count == 1 ? nil : inner.removing(path.dropFirst())
        return copy
    }
}
