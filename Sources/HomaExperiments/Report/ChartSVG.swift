// SPDX-License-Identifier: Apache-2.0

/// Draws a chart as SVG that stands in a page by itself: colours are the page's, so that it is light or dark with it.
struct ChartSVG {
    private let chart: Chart
    private let x: AxisScale
    private let y: AxisScale
    private static let width = 720.0
    private static let height = 400.0
    private static let left = 78.0
    private static let right = 702.0
    private static let top = 14.0
    private static let bottom = 338.0
    /// Series have so many colours and shapes; more repeat them.
    static let styles = 8

    init(_ chart: Chart) {
        self.chart = chart
        let points = chart.series.flatMap(\.points)
        x =
            chart.x.categories.isEmpty
            ? AxisScale(points.map(\.x), logarithmic: chart.x.isLogarithmic)
            : AxisScale(categories: chart.x.categories.count)
        let levels = chart.levels.map(\.y).filter { !chart.y.isLogarithmic || $0 > 0 }
        y = AxisScale(points.map(\.y) + levels, logarithmic: chart.y.isLogarithmic)
    }

    /// A figure element with the chart, its title and its legend; a sentence when there is nothing to draw.
    func render() -> String {
        guard !chart.series.isEmpty else {
            return "<p class=\"missing\">\(HTML.escape(chart.title)): nothing was measured.</p>"
        }
        let label = "\(chart.title): \(chart.y.text) over \(chart.x.text)"
        return """
            <figure><figcaption>\(HTML.escape(chart.title))</figcaption>
            <svg class="chart" viewBox="0 0 \(number(Self.width)) \(number(Self.height))" role="img" \
            aria-label="\(HTML.escape(label))">
            \(grid())\(levels())\(chart.series.enumerated().map(series).joined())\(labels())</svg>
            \(legend())</figure>
            """
    }

    private func across(_ value: Double) -> Double { Self.left + x.place(value) * (Self.right - Self.left) }
    private func down(_ value: Double) -> Double { Self.bottom - y.place(value) * (Self.bottom - Self.top) }
    private func number(_ value: Double) -> String { "\(rounded(value, digits: 5))" }

    private func grid() -> String {
        let lines = y.ticks.map { tick in
            let place = number(down(tick))
            return """
                <line class="grid" x1="\(number(Self.left))" x2="\(number(Self.right))" y1="\(place)" y2="\(place)"/>\
                <text class="tick" x="\(number(Self.left - 8))" y="\(place)" dy=".35em" \
                text-anchor="end">\(HTML.escape(readable(tick)))</text>
                """
        }
        let marks = x.ticks.map { tick in
            let place = number(across(tick))
            return """
                <line class="grid" y1="\(number(Self.top))" y2="\(number(Self.bottom))" x1="\(place)" x2="\(place)"/>\
                <text class="tick" x="\(place)" y="\(number(Self.bottom + 20))" \
                text-anchor="middle">\(HTML.escape(name(tick)))</text>
                """
        }
        return (lines + marks).joined()
    }

    /// What a place of the x axis is called.
    private func name(_ value: Double) -> String {
        let index = Int(value) - 1
        return chart.x.categories.indices.contains(index) ? chart.x.categories[index] : readable(value)
    }

    private func labels() -> String {
        let middle = number((Self.left + Self.right) / 2)
        let height = number((Self.top + Self.bottom) / 2)
        return """
            <text class="axis-label" data-axis="x" x="\(middle)" y="\(number(Self.height - 14))" \
            text-anchor="middle">\(HTML.escape(chart.x.text))</text>\
            <text class="axis-label" data-axis="y" x="18" y="\(height)" text-anchor="middle" \
            transform="rotate(-90 18 \(height))">\(HTML.escape(chart.y.text))</text>
            """
    }

    private func levels() -> String {
        chart.levels.filter { !y.isLogarithmic || $0.y > 0 }.map { level in
            let place = number(down(level.y))
            return """
                <line class="level" x1="\(number(Self.left))" x2="\(number(Self.right))" y1="\(place)" y2="\(place)"/>\
                <text class="level-label" x="\(number(Self.right - 4))" y="\(number(down(level.y) - 5))" \
                text-anchor="end">\(HTML.escape(level.label))</text>
                """
        }.joined()
    }

    private func series(_ index: Int, _ series: Series) -> String {
        let style = index % Self.styles
        let places = series.points.map { "\(number(across($0.x))),\(number(down($0.y)))" }
        let line =
            series.marks == .line && places.count > 1
            ? "<polyline class=\"line s\(style)\" points=\"\(places.joined(separator: " "))\"/>" : ""
        return line
            + series.points.map { point in
                let told = [series.name, point.label, "\(name(point.x)) → \(readable(point.y))"]
                let title = told.filter { !$0.isEmpty }.joined(separator: ", ")
                return Self.shape(style, across(point.x), down(point.y), HTML.escape(title)) + caption(point)
            }.joined()
    }

    /// What stands beside a mark.
    private func caption(_ point: Series.Point) -> String {
        guard !point.label.isEmpty else { return "" }
        return """
            <text class="mark-label" x="\(number(across(point.x) + 7))" \
            y="\(number(down(point.y) - 6))">\(HTML.escape(point.label))</text>
            """
    }

    /// Series differ in shape as well as in colour, for paper and for eyes that see colours differently.
    private static func shape(_ style: Int, _ x: Double, _ y: Double, _ title: String) -> String {
        let mark = "class=\"mark s\(style)\""
        func at(_ value: Double) -> String { "\(rounded(value, digits: 5))" }
        let body = "<title>\(title)</title>"
        switch style % 4 {
        case 0: return "<circle \(mark) cx=\"\(at(x))\" cy=\"\(at(y))\" r=\"4\">\(body)</circle>"
        case 1:
            return "<rect \(mark) x=\"\(at(x - 3.7))\" y=\"\(at(y - 3.7))\" width=\"7.4\" height=\"7.4\">\(body)</rect>"
        case 2:
            let points = "\(at(x)),\(at(y - 5)) \(at(x + 4.8)),\(at(y + 3.6)) \(at(x - 4.8)),\(at(y + 3.6))"
            return "<polygon \(mark) points=\"\(points)\">\(body)</polygon>"
        default:
            let points =
                "\(at(x)),\(at(y - 5.2)) \(at(x + 5.2)),\(at(y)) \(at(x)),\(at(y + 5.2)) \(at(x - 5.2)),\(at(y))"
            return "<polygon \(mark) points=\"\(points)\">\(body)</polygon>"
        }
    }

    private func legend() -> String {
        guard chart.series.count > 1 else { return "" }
        let items = chart.series.enumerated().map { index, series in
            let style = index % Self.styles
            let sample = "<svg class=\"key\" viewBox=\"0 0 16 16\">\(Self.shape(style, 8, 8, ""))</svg>"
            return "<li>\(sample)\(HTML.escape(series.name))</li>"
        }
        return "<ul class=\"legend\">\(items.joined())</ul>"
    }
}
