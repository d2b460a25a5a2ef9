// SPDX-License-Identifier: Apache-2.0

/// Weights by value in cells whose width grows with the value: exact below `2^precision`, then `2^precision` cells
/// for each power of two, so that no cell is wider than 2^-precision of its values.
///
/// A handle onto memory of its own, which whoever made it destroys.
struct LogHistogram: BitwiseCopyable {
    private let weights: UnsafeMutablePointer<UInt64>
    private let precision: Int
    private let cells: Int

    /// - Parameter bits: values from 2^bits on are counted in the last cell.
    init(precision: Int = 7, bits: Int = 40) {
        self.precision = precision
        cells = (bits - precision + 1) << precision
        weights = .allocate(capacity: cells)
        weights.initialize(repeating: 0, count: cells)
    }

    func destroy() { weights.deallocate() }

    func clear() { weights.update(repeating: 0, count: cells) }

    @inline(__always)
    func add(_ value: UInt64, weight: UInt64 = 1) {
        weights[index(value)] &+= weight
    }

    /// Adds what another histogram of the same shape holds.
    func add(_ other: LogHistogram) {
        for cell in 0..<cells { weights[cell] &+= other.weights[cell] }
    }

    var total: UInt64 { (0..<cells).reduce(0) { $0 &+ weights[$1] } }

    /// The least value that at least this share (0 to 1) of the weight does not exceed: the middle of its cell.
    func quantile(_ share: Double) -> UInt64 {
        let all = total
        guard all > 0 else { return 0 }
        let wanted = Double(all) * share
        var sum: UInt64 = 0
        for cell in 0..<cells where weights[cell] > 0 {
            sum &+= weights[cell]
            if Double(sum) >= wanted { return middle(cell) }
        }
        return middle(cells - 1)
    }

    @inline(__always)
    private func index(_ value: UInt64) -> Int {
        guard value >= 1 << UInt64(precision) else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        let shift = exponent - precision
        let cell = (shift + 1) << precision + Int(value >> UInt64(shift)) - 1 << precision
        return min(cell, cells - 1)
    }

    private func middle(_ cell: Int) -> UInt64 {
        let group = cell >> precision
        guard group > 0 else { return UInt64(cell) }
        let low = UInt64(cell - group << precision + 1 << precision) << UInt64(group - 1)
        return low + (1 << UInt64(group - 1)) / 2
    }
}
