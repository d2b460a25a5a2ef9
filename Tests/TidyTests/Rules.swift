// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What can be told of a file by reading it.
enum Rules {
    static let longestLine = 120
    static let longestFile = 900

    /// Targets whose behaviour must depend on their arguments alone.
    static let deterministic: Set<String> = [
        "HomaBase", "HomaWire", "HomaBuffers", "HomaCore", "HomaWorkloads", "HomaSim",
    ]

    /// What such a target may not mention, and why.
    static let nondeterministic: [(pattern: String, reason: String)] = [
        (#"\b(async|await)\b"#, "is concurrent"),
        (#"\b(Task|TaskGroup|DispatchQueue|Thread)\s*[.({]"#, "is concurrent"),
        (#"\b(Mutex|NSLock|os_unfair_lock|pthread_\w+)\b"#, "takes a lock"),
        (#"\b(Date\(|ContinuousClock|SuspendingClock|clock_gettime)"#, "reads a clock"),
        (#"\bSystemRandomNumberGenerator\b"#, "uses the system's random numbers"),
        (#"\.random\(((?!using:).)*$"#, "uses the system's random numbers"),
        (#"\.(shuffled|shuffle|randomElement)\(\)"#, "uses the system's random numbers"),
        (#"\b(Set|Dictionary)<|\bHasher\("#, "may depend on the order of hashing"),
        (#"(?<![\w\])])\[\s*[A-Z]\w*\s*:\s*[A-Z]"#, "may depend on the order of hashing"),
    ]

    static func determinism(_ file: TextFile) -> [Finding] {
        guard file.path.hasSuffix(".swift"), deterministic.contains(file.target ?? "") else { return [] }
        return file.codeLines.enumerated().flatMap { index, line in
            nondeterministic.compactMap { rule in
                guard let range = line.range(of: rule.pattern, options: .regularExpression) else { return nil }
                return Finding(file: file.path, line: index + 1, problem: "\(line[range]) \(rule.reason)")
            }
        }
    }

    /// The licence stands in the first line; a manifest's and a script's own first line may come before it.
    static func licence(_ file: TextFile) -> [Finding] {
        let mark = "SPDX-License-Identifier: " + "Apache-2.0"
        let first = file.lines.first { !$0.hasPrefix("// swift-tools-version") && !$0.hasPrefix("#!") }
        if let first, first.contains(mark) { return [] }
        return [Finding(file: file.path, line: 1, problem: "does not begin with \(mark)")]
    }

    static func size(_ file: TextFile) -> [Finding] {
        var findings = file.lines.enumerated().filter { $0.element.count > longestLine }.map { index, line in
            Finding(file: file.path, line: index + 1, problem: "\(line.count) characters, more than \(longestLine)")
        }
        let count = file.lines.count - (file.text.hasSuffix("\n") ? 1 : 0)
        if count > longestFile {
            findings.append(Finding(file: file.path, line: count, problem: "\(count) lines, more than \(longestFile)"))
        }
        return findings
    }

    /// Work left undone is an entry in the tracker or a sentence in the documentation, not a remark in the code.
    static func leftovers(_ file: TextFile) -> [Finding] {
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "for" + " now"]
        return file.lines.enumerated().flatMap { index, line in
            marks.filter { line.contains($0) }.map {
                Finding(file: file.path, line: index + 1, problem: "says “\($0)”")
            }
        }
    }

    /// The program's results leave by one function, which tells when they do not. `homa-echo` is what a user of the
    /// library writes, who has no such function.
    static func output(_ file: TextFile) -> [Finding] {
        guard file.path.hasPrefix("Sources/"), file.target != "HomaEcho", file.path != "Sources/HomaPosix/Output.swift"
        else { return [] }
        let pattern =
            #"(?<![\w.])(Swift\.)?(print|debugPrint|dump|puts|fputs|printf)\("#
            + #"|\bSTDOUT_FILENO\b|\bstandardOutput\b(?! =)"#
        return file.codeLines.enumerated().compactMap { index, line in
            guard let range = line.range(of: pattern, options: .regularExpression) else { return nil }
            return Finding(
                file: file.path, line: index + 1, problem: "\(line[range]) bypasses say(), which notices lost output")
        }
    }

    /// Signals are handled in one place. SIGPROF, which asks for nothing, is the sampler's.
    static func signals(_ file: TextFile) -> [Finding] {
        let places = ["HomaPosix/Signals", "HomaPosix/CrashNote", "HomaPosix/Output", "HomaCommand/Sim/CoreSampler"]
        guard file.path.hasPrefix("Sources/"), !places.contains(where: { file.path == "Sources/\($0).swift" }) else {
            return []
        }
        let pattern = #"(?<![\w.])(signal|sigaction|sigwait|signalfd)\(|\bmakeSignalSource\b"#
        return file.codeLines.enumerated().compactMap { index, line in
            guard let range = line.range(of: pattern, options: .regularExpression) else { return nil }
            return Finding(file: file.path, line: index + 1, problem: "\(line[range]) is no business of this file")
        }
    }

    /// Every number of a command line has its range: an option takes none that no `Reader` has looked at.
    static func bareNumbers(_ file: TextFile) -> [Finding] {
        guard file.target == "HomaCommand" else { return [] }
        let number = #"(: \[?(Int|UInt|Double|Float)\d*\b|( =|: \w+\?? =) -?[0-9])"#
        let pattern = #"@(Option|Argument)\b((?!\bwithin: |\bvar )[\s\S])*\bvar \w+"# + number
        var findings: [Finding] = []
        var rest = file.text[...]
        while let range = rest.range(of: pattern, options: .regularExpression) {
            let line = file.text[..<range.upperBound].count { $0 == "\n" } + 1
            findings.append(Finding(file: file.path, line: line, problem: "an option takes a number without a range"))
            rest = rest[range.upperBound...]
        }
        return findings
    }

    static func tabs(_ file: TextFile) -> [Finding] {
        file.lines.enumerated().filter { $0.element.contains("\t") }.map {
            Finding(file: file.path, line: $0.offset + 1, problem: "contains a tab")
        }
    }
}
