// SPDX-License-Identifier: Apache-2.0

/// Finds what was probably meant by a word that nobody knows.
public enum Suggestion {
    /// The nearest of `known`; nil when none is near.
    public static func nearest(to word: String, in known: [String]) -> String? {
        let limit = max(1, word.count / 3)
        return known.map { (name: $0, distance: distance(word, $0)) }.filter { $0.distance <= limit }
            .min { $0.distance < $1.distance }?.name
    }

    /// Letters to insert, drop, change, or swap with their neighbour (Damerau 1964) to make one word of the other.
    static func distance(_ first: String, _ second: String) -> Int {
        let a = Array(first.lowercased().utf8)
        let b = Array(second.lowercased().utf8)
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var best = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
                row.append(best)
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}
