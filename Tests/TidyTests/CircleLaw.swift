// SPDX-License-Identifier: Apache-2.0

import Foundation

/// No circle among the files of a target, nor among its folders: what a file uses can be read before it.
///
/// A file uses another when it names a type that is declared there at the top level. Extensions declare nothing: their
/// files use the type they extend.
enum CircleLaw {
    /// The targets that are held to it.
    static let targets = ["HomaBase", "HomaCore"]

    /// The circles among files, and among folders, as one finding each.
    static func findings(in files: [TextFile]) -> [Finding] {
        let swift = files.filter { $0.path.hasSuffix(".swift") }
        let code = swift.map { $0.codeLines }
        var home: [Substring: Int] = [:]
        for (index, lines) in code.enumerated() {
            for line in lines {
                if let match = line.firstMatch(of: declaration) { home[match.output.2] = index }
            }
        }
        var uses = swift.map { _ in Set<Int>() }
        for (index, lines) in code.enumerated() {
            for line in lines {
                for word in line.matches(of: typeName) {
                    if let used = home[word.output], used != index { uses[index].insert(used) }
                }
            }
        }
        let folders = swift.map { ($0.path as NSString).deletingLastPathComponent }
        let names = Array(Set(folders)).sorted()
        var folderUses = names.map { _ in Set<Int>() }
        for (index, used) in uses.enumerated() {
            let from = names.firstIndex(of: folders[index])!
            for to in used.map({ names.firstIndex(of: folders[$0])! }) where to != from { folderUses[from].insert(to) }
        }
        return circles(uses).map { finding($0.map { swift[$0].path }) }
            + circles(folderUses).map { finding($0.map { names[$0] }) }
    }

    // MARK: Calls

    private struct Method {
        var file: String
        var line: Int
        var name: Substring
        var labels: [Substring]
        var body: Substring
    }

    /// The circles among the methods of `type`, declared in its extensions, that call each other without a receiver: a
    /// method that can come back to itself by way of others is in none of the places where one looks for it.
    ///
    /// Methods of one name are told apart by their argument labels, of which a call may leave some out.
    static func callCircles(of type: String, in files: [TextFile]) -> [Finding] {
        let methods = files.filter { ($0.path as NSString).lastPathComponent.hasPrefix(type) }.flatMap(methods)
        var byName: [Substring: [Int]] = [:]
        for (index, method) in methods.enumerated() { byName[method.name, default: []].append(index) }
        let calls = methods.map { method in
            var called = Set<Int>()
            for match in method.body.matches(of: call) {
                guard let candidates = byName[match.output.1] else { continue }
                let given = labels(in: method.body[match.range.upperBound...].dropFirst())
                for candidate in candidates where isPart(given, of: methods[candidate].labels) {
                    called.insert(candidate)
                }
            }
            return called
        }
        let selfCalls = calls.enumerated().filter { $0.element.contains($0.offset) }.map { [$0.offset] }
        return (circles(calls) + selfCalls).map { circle in
            let first = methods[circle[0]]
            let names = circle.map { "\(methods[$0].name)(\(methods[$0].labels.joined(separator: ":")))" }
            return Finding(file: first.file, line: first.line, problem: "calls in a circle: \(names)")
        }
    }

    nonisolated(unsafe) private static let method = /\bfunc (\w+)(?:<[^>]*>)?\(/
    nonisolated(unsafe) private static let call = /(?:^|[^\w.])(\w+)(?=\()/

    private static func methods(of file: TextFile) -> [Method] {
        let text = file.codeLines.joined(separator: "\n")
        return text.matches(of: method).map { match in
            let rest = text[match.range.upperBound...]
            return Method(
                file: file.path, line: text[..<match.range.lowerBound].count { $0 == "\n" } + 1, name: match.output.1,
                labels: labels(in: rest), body: body(in: rest))
        }
    }

    /// From the first brace on to the one that closes it.
    private static func body(in text: Substring) -> Substring {
        guard let start = text.firstIndex(of: "{") else { return "" }
        var depth = 0
        for index in text[start...].indices {
            if text[index] == "{" { depth += 1 }
            if text[index] == "}" { depth -= 1 }
            if depth == 0 { return text[text.index(after: start)..<index] }
        }
        return text[start...]
    }

    /// The labels of parameters or arguments up to the parenthesis that closes the list: the first word of each, if a
    /// colon or another word follows; else `_`.
    private static func labels(in text: Substring) -> [Substring] {
        var parts: [Substring] = []
        var start = text.startIndex
        var depth = 0
        for index in text.indices {
            let character = text[index]
            if "([{".contains(character) { depth += 1 }
            if depth == 0, character == "," || character == ")" {
                parts.append(text[start..<index])
                start = text.index(after: index)
            }
            if ")]}".contains(character) { depth -= 1 }
            if depth < 0 { break }
        }
        return parts.map { $0.trimmingPrefix(/\s+/) }.filter { !$0.isEmpty }.map { part in
            part.prefixMatch(of: /(\w+)(?: \w+)?:/)?.output.1 ?? "_"
        }
    }

    /// Whether the labels given are those of the parameters, with some left out.
    private static func isPart(_ given: [Substring], of parameters: [Substring]) -> Bool {
        var rest = parameters[...]
        for label in given {
            guard let place = rest.firstIndex(of: label) else { return false }
            rest = rest[(place + 1)...]
        }
        return true
    }

    nonisolated(unsafe) private static let declaration =
        /^(?:@\w+ )*(public |package |private |fileprivate )?(?:final )?(?:struct|enum|class|protocol|typealias) (\w+)/
    nonisolated(unsafe) private static let typeName = /\b[A-Z]\w+/

    private static func finding(_ circle: [String]) -> Finding {
        Finding(
            file: circle[0], line: 1, problem: "uses itself by way of " + circle.dropFirst().joined(separator: ", "))
    }

    /// Sets of nodes that reach each other, of two and more (Tarjan 1972).
    private static func circles(_ edges: [Set<Int>]) -> [[Int]] {
        var order = edges.map { _ in -1 }
        var low = edges.map { _ in 0 }
        var isOnStack = edges.map { _ in false }
        var stack: [Int] = []
        var next = 0
        var found: [[Int]] = []
        func visit(_ node: Int) {
            (order[node], low[node]) = (next, next)
            next += 1
            stack.append(node)
            isOnStack[node] = true
            for other in edges[node].sorted() {
                if order[other] < 0 {
                    visit(other)
                    low[node] = min(low[node], low[other])
                } else if isOnStack[other] {
                    low[node] = min(low[node], order[other])
                }
            }
            guard low[node] == order[node] else { return }
            var circle: [Int] = []
            repeat {
                circle.append(stack.removeLast())
                isOnStack[circle.last!] = false
            } while circle.last! != node
            if circle.count > 1 { found.append(circle.sorted()) }
        }
        for node in edges.indices where order[node] < 0 { visit(node) }
        return found
    }
}
