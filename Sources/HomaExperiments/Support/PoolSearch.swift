// SPDX-License-Identifier: Apache-2.0

/// The smallest shared pool that does a transport no harm.
///
/// The method is that of the notes on buffer usage in HomaModule (August 2023): limits in steps of a tenth of what is
/// used without limit; the smallest is wanted whose mean slowdown is at most 10 % above that without.
struct PoolSearch {
    /// The run without limit.
    var base: Outcome
    /// Bytes of the smallest pool; not a number while runs are missing.
    var smallest: Double
    /// Limit in bytes and the run under it, ascending.
    var tried: [(bytes: Double, outcome: Outcome)]

    /// A mean slowdown so many times the base's is no longer good.
    static let limit = 1.1
    private static let steps = 10

    /// The smallest pool in microseconds of the switch's bandwidth.
    var microseconds: Double { smallest * base.switchMicroseconds / base.switchBytes }

    /// - Parameters:
    ///   - recipe: with whatever buffer; the search sets it.
    ///   - baseline: bytes of the pool that counts as no limit; nil for none at all. Transports that fill any buffer
    ///     need one.
    init(_ recipe: Recipe, baseline: Double? = nil, _ laboratory: inout Laboratory) throws {
        base = try laboratory.run(baseline.map(recipe.sharedPool) ?? recipe.unlimited())
        tried = []
        smallest = .nan
        guard base.isReady else { return }
        let most = base.switchBytes
        // The pool of the whole use is good by definition: nothing is dropped.
        var good = Self.steps
        var bad = 0
        while good - bad > 1 {
            let middle = (good + bad) / 2
            let bytes = most * Double(middle) / Double(Self.steps)
            let outcome = try laboratory.run(recipe.sharedPool(bytes))
            guard outcome.isReady else { return }
            tried.append((bytes, outcome))
            if Self.isGood(outcome, base) { good = middle } else { bad = middle }
        }
        tried.sort { $0.bytes < $1.bytes }
        smallest = most * Double(good) / Double(Self.steps)
    }

    private static func isGood(_ outcome: Outcome, _ base: Outcome) -> Bool {
        outcome.mean <= limit * base.mean && outcome.incompleteShare <= base.incompleteShare + 0.001
    }
}
