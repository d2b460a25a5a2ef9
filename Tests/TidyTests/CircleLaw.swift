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
