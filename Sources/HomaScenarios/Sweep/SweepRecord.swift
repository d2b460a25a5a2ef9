// SPDX-License-Identifier: Apache-2.0

/// One line of a store: a finished point with its whole configuration.
///
/// Every line stands for itself and names its sweep, so that the lines of many processes can be put together in any
/// order, and a line says how many others there have to be.
struct SweepRecord: Equatable, Sendable {
    var sweep: String
    var points: Int
    var index: Int
    var key: String
    /// The line as it stands in the file, without its end.
    var line: String

    /// How every line begins; a torn one may have less of it.
    static let beginning = "{\"sweep\":\""

    /// - Parameter result: an object, as `homa sim run --json` prints it.
    init(plan: SweepPlan, point: SweepPoint, result: JSONValue) {
        sweep = plan.id
        points = plan.points.count
        index = point.index
        key = point.key
        let own: [JSONValue.Member] = [
            .init("sweep", .string(sweep)), .init("points", .integer(points)), .init("point", .integer(index)),
            .init("key", .string(key)), .init("varied", .object(point.varied)),
        ]
        line = JSONValue.object(own + (result.members ?? [])).description
    }

    /// Reads a line back. Throws the reason when it is none.
    init(parsing line: String) throws(RecordError) {
        let value: JSONValue
        do { value = try JSONValue(parsing: line) } catch { throw RecordError("not JSON, \(error.problem)") }
        guard let sweep = value["sweep"]?.text, let key = value["key"]?.text else {
            throw RecordError("no 'sweep' and 'key'")
        }
        guard let points = value["points"]?.integer, let index = value["point"]?.integer,
            (0..<max(0, points)).contains(index)
        else { throw RecordError("no 'point' below 'points'") }
        self.sweep = sweep
        self.points = points
        self.index = index
        self.key = key
        self.line = line
    }
}

/// Why a line is no record.
struct RecordError: Error {
    var problem: String
    init(_ problem: String) { self.problem = problem }
}

/// The lines of a store's text.
struct SweepLines {
    /// Whole lines that are records, in the order of the file.
    var records: [SweepRecord] = []
    /// Bytes up to the end of the last whole line.
    var wholeBytes = 0
    /// A last line that was not finished: the process that wrote it was killed.
    var torn: String?

    /// Throws for a line that no sweep has written: the file is something else.
    init(_ bytes: [UInt8], of path: String) throws(SweepError) {
        var start = 0
        var number = 0
        while start < bytes.count {
            number += 1
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
            let text = String(decoding: bytes[start..<(end ?? bytes.count)], as: UTF8.self)
            do throws(RecordError) {
                let record = try SweepRecord(parsing: text)
                // Whole, but its end is missing: take it for torn, since the next line would be joined to it.
                guard end != nil else { throw RecordError("no end of line") }
                records.append(record)
            } catch {
                guard end == nil, Self.couldBeTorn(text) else {
                    throw .notAStore(path, line: number, error.problem)
                }
                torn = text
                return
            }
            start = (end ?? bytes.count - 1) + 1
            wholeBytes = start
        }
    }

    /// The beginning of a line of ours. After a power failure a file may also end in zero bytes.
    private static func couldBeTorn(_ text: String) -> Bool {
        let visible = text.prefix { $0 != "\0" }
        return SweepRecord.beginning.hasPrefix(visible) || visible.hasPrefix(SweepRecord.beginning)
    }
}
