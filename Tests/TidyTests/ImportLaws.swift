// SPDX-License-Identifier: Apache-2.0

/// Which target may import what: the table of ARCHITECTURE.md, which this mirrors.
enum ImportLaws {
    private static let core: Set<String> = ["HomaBase", "HomaWire", "HomaBuffers", "HomaCore"]

    static let permitted: [String: Set<String>] = [
        "HomaBase": [],
        "HomaWire": ["HomaBase"],
        "HomaBuffers": ["HomaBase", "Synchronization"],
        "HomaCore": ["HomaBase", "HomaWire", "HomaBuffers"],
        "HomaPosix": ["HomaBase", "CHomaPosix", "Glibc", "Synchronization"],
        "HomaIO": core.union(["HomaPosix", "CHomaPosix", "Glibc", "Synchronization"]),
        "Homa": core.union(["HomaPosix", "HomaIO", "Logging", "Metrics", "Synchronization"]),
        "HomaServiceLifecycle": ["Homa", "ServiceLifecycle"],
        "HomaTestKit": ["HomaBase", "HomaIO", "Homa", "Synchronization"],
        "HomaCheck": core.union(["HomaPosix", "Glibc"]),
        "HomaEngineCheck": ["HomaBase", "HomaBuffers", "HomaCore", "HomaPosix", "HomaIO", "HomaCheck"],
        "HomaCapture": ["HomaBase", "HomaWire"],
        "HomaWorkloads": ["HomaBase"],
        "HomaSim": core.union(["HomaWorkloads"]),
        "HomaScenarios": ["HomaBase", "HomaCore", "HomaPosix", "HomaWorkloads", "HomaSim", "Foundation"],
        "HomaBench": core.union(["HomaPosix", "Homa", "HomaWorkloads", "Histogram", "Glibc", "Synchronization"]),
        "HomaExperiments": [
            "HomaBase", "HomaBuffers", "HomaCore", "HomaPosix", "HomaWorkloads", "HomaSim", "HomaScenarios",
            "Foundation",
        ],
        "HomaLab": [
            "HomaBase", "HomaBuffers", "HomaCore", "HomaPosix", "Homa", "HomaBench", "HomaWorkloads", "HomaSim",
            "HomaScenarios", "Logging", "Glibc", "Foundation",
        ],
        "HomaCommand": core.union([
            "HomaPosix", "HomaIO", "Homa", "HomaBench", "HomaWorkloads", "HomaSim", "HomaScenarios",
            "HomaExperiments", "HomaCheck", "HomaEngineCheck", "HomaLab", "HomaCapture", "ArgumentParser", "Logging",
            "Glibc",
            "Foundation",
        ]),
        "homa": ["HomaCommand", "ArgumentParser"],
        "HomaEcho": ["Homa", "Glibc"],
    ]

    /// Modules that come with Swift and with the system; a manifest does not name them.
    static let system: Set<String> = ["Glibc", "Synchronization", "Dispatch", "Foundation"]

    /// Targets of the manifest whose dependencies are not those of the table.
    static func findings(inManifest file: TextFile) -> [Finding] {
        let text = file.text.replacing(/\s+/, with: " ")
        let products = Dictionary(
            uniqueKeysWithValues: text.matches(of: /let (\w+) = Target\.Dependency\.product\(name: "(\w+)"/).map {
                (String($0.1), String($0.2))
            })
        let targets = text.matches(
            of: /(?:house\( ?|executableTarget\(name: )"(\w+)"(?:, (?:dependencies: )?\[([^\]]*)\])?/)
        return targets.compactMap { match in
            let names = (match.2 ?? "").split(separator: ",").map { $0.trimmingPrefix(" ") }.filter { !$0.isEmpty }
            let declared = Set(
                names.map { $0.hasPrefix("\"") ? String($0.filter { $0 != "\"" }) : products[String($0)] ?? "" })
            let lawful = permitted[String(match.1), default: []].subtracting(system)
            guard declared != lawful else { return nil }
            let difference = declared.symmetricDifference(lawful).sorted().joined(separator: ", ")
            return Finding(
                file: file.path, line: 1, problem: "\(match.1) and its row of the table differ in \(difference)")
        }
    }

    /// Imports that the law of the file's target does not permit.
    static func findings(in file: TextFile) -> [Finding] {
        guard file.path.hasSuffix(".swift"), let target = file.target else { return [] }
        guard let allowed = permitted[target] else {
            return [Finding(file: file.path, line: 1, problem: "target \(target) has no row in the import table")]
        }
        return file.codeLines.enumerated().compactMap { index, line in
            guard let module = importedModule(line), module != target, !allowed.contains(module) else { return nil }
            return Finding(file: file.path, line: index + 1, problem: "\(target) may not import \(module)")
        }
    }

    /// The module that a line imports, if it is an import.
    static func importedModule(_ line: String) -> String? {
        let words = line.split(separator: " ").map(String.init)
        guard let position = words.firstIndex(of: "import"), position + 1 < words.count else { return nil }
        let levels: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
        guard words[..<position].allSatisfy({ levels.contains($0) || $0.hasPrefix("@") }) else { return nil }
        let kinds: Set<String> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        let name = kinds.contains(words[position + 1]) && position + 2 < words.count ? position + 2 : position + 1
        return words[name].split(separator: ".").first.map(String.init)
    }
}
