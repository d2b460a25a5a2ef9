// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A linear relation fitted to points by least squares, with its error.
struct LinearFit: Equatable, Sendable {
    /// The constant, then a factor for each variable.
    var coefficients: [Double]
    /// Root of the mean squared error, in the unit of what was fitted.
    var error: Double
    /// Share of the variance that the relation explains, 0 … 1.
    var determination: Double

    /// Nil when there are too few points to tell, or variables that say the same.
    init?(_ rows: [(x: [Double], y: Double)]) {
        let usable = rows.filter { $0.y.isFinite && $0.x.allSatisfy(\.isFinite) }
        guard let width = usable.first.map({ $0.x.count + 1 }), usable.count > width else { return nil }
        var matrix = [[Double]](repeating: [Double](repeating: 0, count: width + 1), count: width)
        for row in usable {
            let terms = [1] + row.x
            for i in 0..<width {
                for j in 0..<width { matrix[i][j] += terms[i] * terms[j] }
                matrix[i][width] += terms[i] * row.y
            }
        }
        guard let solution = Self.solve(&matrix) else { return nil }
        coefficients = solution
        let mean = usable.reduce(0) { $0 + $1.y } / Double(usable.count)
        var squares = 0.0
        var variance = 0.0
        for row in usable {
            let fitted = zip(solution.dropFirst(), row.x).reduce(solution[0]) { $0 + $1.0 * $1.1 }
            squares += (row.y - fitted) * (row.y - fitted)
            variance += (row.y - mean) * (row.y - mean)
        }
        error = (squares / Double(usable.count)).squareRoot()
        determination = variance > 0 ? 1 - squares / variance : 1
    }

    /// The value of the relation.
    func callAsFunction(_ x: Double...) -> Double {
        zip(coefficients.dropFirst(), x).reduce(coefficients[0]) { $0 + $1.0 * $1.1 }
    }

    /// Gauss and Jordan with the largest pivot of each column.
    private static func solve(_ matrix: inout [[Double]]) -> [Double]? {
        let width = matrix.count
        for column in 0..<width {
            guard let pivot = (column..<width).max(by: { abs(matrix[$0][column]) < abs(matrix[$1][column]) }),
                abs(matrix[pivot][column]) > 1e-9 * abs(matrix[column].max() ?? 0)
            else { return nil }
            matrix.swapAt(column, pivot)
            for row in 0..<width where row != column {
                let factor = matrix[row][column] / matrix[column][column]
                for place in column...width { matrix[row][place] -= factor * matrix[column][place] }
            }
        }
        return (0..<width).map { matrix[$0][width] / matrix[$0][$0] }
    }
}

/// A power law, y = factor × x to the exponent, fitted on logarithms.
struct PowerFit: Equatable, Sendable {
    var factor: Double
    var exponent: Double
    /// Typical error as a share of the value: 0.1 means that values lie 10 % beside the law.
    var relativeError: Double

    init?(_ points: [(Double, Double)]) {
        let logarithms = points.filter { $0.0 > 0 && $0.1 > 0 }.map { (x: [log($0.0)], y: log($0.1)) }
        guard let fit = LinearFit(logarithms) else { return nil }
        factor = exp(fit.coefficients[0])
        exponent = fit.coefficients[1]
        relativeError = exp(fit.error) - 1
    }
}
