// SPDX-License-Identifier: Apache-2.0

/// What a chart's axis measures.
public struct Axis: Equatable, Sendable {
    public var label: String
    public var unit: String
    public var isLogarithmic: Bool
    /// What the values 1, 2, 3 … are called where they are not numbers; empty for an axis of numbers.
    public var categories: [String] = []

    public init(_ label: String, unit: String, logarithmic: Bool = false) {
        self.label = label
        self.unit = unit
        isLogarithmic = logarithmic
    }

    /// An axis of named things, at 1, 2, 3 and so on.
    public init(_ label: String, categories: [String]) {
        self.label = label
        unit = "name"
        isLogarithmic = false
        self.categories = categories
    }

    /// W1 to W5.
    static let workloads = Axis("workload", categories: (1...5).map { "W\($0)" })

    /// Label and unit, as the chart carries them.
    public var text: String { unit.isEmpty ? label : "\(label) (\(unit))" }
}

/// Points of one kind in a chart.
public struct Series: Equatable, Sendable {
    public enum Marks: Sendable { case line, points }

    public var name: String
    public var marks: Marks
    public var points: [Point]

    public struct Point: Equatable, Sendable {
        public var x: Double
        public var y: Double
        /// What stands beside the mark; empty for nothing.
        public var label: String

        public init(_ x: Double, _ y: Double, _ label: String = "") {
            self.x = x
            self.y = y
            self.label = label
        }
    }

    public init(_ name: String, marks: Marks = .line, _ points: [Point]) {
        self.name = name
        self.marks = marks
        self.points = points
    }
}

/// A chart as data; ``ChartSVG`` draws it.
public struct Chart: Equatable, Sendable {
    public var title: String
    public var x: Axis
    public var y: Axis
    public var series: [Series]
    /// Horizontal lines of published or permitted figures.
    public var levels: [Level]

    /// A value of the y axis that means something.
    public struct Level: Equatable, Sendable {
        public var y: Double
        public var label: String

        public init(_ y: Double, _ label: String) {
            self.y = y
            self.label = label
        }
    }

    public init(_ title: String, x: Axis, y: Axis, series: [Series], levels: [Level] = []) {
        self.title = title
        self.x = x
        self.y = y
        // What could not be measured has no place in a chart.
        self.series = series.map { series in
            var series = series
            series.points.removeAll {
                !$0.x.isFinite || !$0.y.isFinite || (x.isLogarithmic && $0.x <= 0) || (y.isLogarithmic && $0.y <= 0)
            }
            return series
        }.filter { !$0.points.isEmpty }
        self.levels = levels.filter { $0.y.isFinite }
    }
}

/// Figures side by side; becomes a table of the report and a CSV file.
public struct DataTable: Equatable, Sendable {
    public var title: String
    /// Headings; those of figures carry the unit.
    public var columns: [String]
    public var rows: [[Figure]]

    public init(_ title: String, _ columns: [String], _ rows: [[Figure]] = []) {
        self.title = title
        self.columns = columns
        self.rows = rows
    }

    public mutating func add(_ cells: Figure...) {
        precondition(cells.count == columns.count, "a row has a cell for each column")
        rows.append(cells)
    }

    /// Comma-separated values (RFC 4180), with a line of headings.
    public var csv: String {
        ([columns] + rows.map { $0.map(Self.cell) }).map { row in
            row.map(Self.quoted).joined(separator: ",") + "\r\n"
        }.joined()
    }

    private static func cell(_ figure: Figure) -> String {
        switch figure {
        case .number(let value): value.isFinite ? JSONNumber.text(value) : ""
        case .range(let low, let high): "\(JSONNumber.text(low)) … \(JSONNumber.text(high))"
        case .text(let text): text
        case .none: ""
        }
    }

    private static func quoted(_ cell: String) -> String {
        guard cell.contains(where: { ",\"\r\n".contains($0) }) else { return cell }
        return "\"" + cell.replacing("\"", with: "\"\"") + "\""
    }
}

/// Numbers for machines.
enum JSONNumber {
    static func text(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }
}
