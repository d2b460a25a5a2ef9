// SPDX-License-Identifier: Apache-2.0

public import HomaSim

/// One simulation of a sweep.
public struct SweepPoint: Sendable {
    /// Its number in the grid, from 0.
    public var index: Int
    /// The varied keys with their values here, in the order of the axes.
    public var varied: [JSONValue.Member]
    public var scenario: Scenario
    /// Names the scenario with all its settings: a hash of its canonical JSON.
    public var key: String
}

/// Every combination of the axes' values, applied to one scenario.
public struct SweepPlan: Sendable {
    /// In order; the last axis changes fastest.
    public let points: [SweepPoint]
    /// Names the sweep: a hash of all its points.
    public let id: String

    /// Most points of one sweep: at a second each this is more than a day.
    public static let mostPoints = 100_000

    /// Builds all points and checks each of them, so that nothing fails in the middle of the night.
    /// - Parameters:
    ///   - document: the scenario's JSON, as ``Scenario/init(json:)`` reads it.
    ///   - overrides: changes to it, the same for all points.
    public init(document: JSONValue, overrides: [Override] = [], axes: [SweepAxis]) throws {
        var count = 1
        for axis in axes {
            count = count.multipliedReportingOverflow(by: axis.values.count).partialValue
            guard count <= Self.mostPoints else { throw SweepError.tooManyPoints }
        }
        if let twice = axes.indices.first(where: { i in axes[..<i].contains { $0.path == axes[i].path } }) {
            throw SweepError.axisTwice(axes[twice].path)
        }
        var points: [SweepPoint] = []
        var hash = StableHash()
        for index in 0..<count {
            let point = try Self.point(index, of: document, overrides, axes)
            if let same = points.first(where: { $0.key == point.key }) {
                throw SweepError.samePoint(same.index, index)
            }
            hash.add(point.key)
            points.append(point)
        }
        self.points = points
        id = hash.text
    }

    private static func point(
        _ index: Int, of document: JSONValue, _ overrides: [Override], _ axes: [SweepAxis]
    ) throws -> SweepPoint {
        var document = document
        var rest = index
        var varied: [JSONValue.Member] = []
        for axis in axes.reversed() {
            let value = axis.values[rest % axis.values.count]
            rest /= axis.values.count
            varied.insert(.init(axis.path, value), at: 0)
        }
        let changes = overrides + varied.map { Override(path: $0.key, value: $0.value) }
        Override.apply(changes, to: &document)
        do {
            let scenario = try Scenario(json: document)
            return SweepPoint(index: index, varied: varied, scenario: scenario, key: scenario.key)
        } catch {
            throw SweepError.badPoint(index, JSONValue.object(varied).description, "\(error)")
        }
    }

    /// The points of one share.
    public func points(of share: SweepShare) -> [SweepPoint] {
        points.filter { share.contains(point: $0.index) }
    }
}

extension Scenario {
    /// Names the scenario with all its settings: a hash of its canonical JSON, the same on every machine.
    public var key: String { StableHash.of(json.description) }
}

/// Why a sweep cannot be run, or its results not be taken together.
public enum SweepError: Error, Equatable, Sendable, CustomStringConvertible {
    case tooManyPoints
    case axisTwice(String)
    case samePoint(Int, Int)
    case badPoint(Int, String, String)
    case cannotOpen(String, String)
    case inUse(String)
    case notAStore(String, line: Int, String)
    case otherSweep(String)
    case cannotWrite(String, String)

    public var description: String {
        switch self {
        case .tooManyPoints: "the sweep has more than \(SweepPlan.mostPoints) points"
        case .axisTwice(let path): "\(path) is varied twice"
        case .samePoint(let first, let second):
            "points \(first) and \(second) of the sweep are the same scenario; vary something that changes it"
        case .badPoint(let index, let varied, let why): "point \(index) \(varied) is no scenario:\n\(why)"
        case .cannotOpen(let path, let why): "cannot open \(path): \(why)"
        case .inUse(let path): "\(path) is in use by another process; wait for it, or give another --out"
        case .notAStore(let path, let line, let why):
            "line \(line) of \(path) is no finished point (\(why)); give another --out, or remove the line"
        case .otherSweep(let path): "\(path) holds points of another sweep; give another --out, or remove the file"
        case .cannotWrite(let path, let why): "cannot write \(path): \(why)"
        }
    }
}
