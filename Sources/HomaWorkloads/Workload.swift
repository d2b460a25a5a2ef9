// SPDX-License-Identifier: Apache-2.0

/// A workload as one asks for it on a command line: a published distribution or a fixed size.
public struct Workload: Sendable, Equatable {
    /// What it is asked for by: `w1` … `w5`, another name, or the size in bytes.
    public var name: String { sizes.name }
    /// Where the sizes come from, in a few words.
    public let origin: String
    /// The message sizes, not truncated.
    public let sizes: SizeDistribution

    public init(origin: String, sizes: SizeDistribution) {
        self.origin = origin
        self.sizes = sizes
    }

    /// The five workloads of the Homa papers, in order of their mean size.
    public static let published: [Workload] = [
        Workload(origin: "Facebook memcached (ETC)", sizes: .w1),
        Workload(origin: "Google search application", sizes: .w2),
        Workload(origin: "all RPCs of a Google datacenter", sizes: .w3),
        Workload(origin: "Facebook Hadoop cluster", sizes: .w4),
        Workload(origin: "web search (DCTCP paper)", sizes: .w5),
    ]

    /// Workloads of the papers on pFabric, pHost, Aeolus and dcPIM, in order of their mean size.
    public static let fabric: [Workload] = [
        Workload(origin: "university datacenter (dcPIM paper)", sizes: .imc10),
        Workload(origin: "web search (pFabric and dcPIM papers)", sizes: .webSearch),
        Workload(origin: "data mining (pFabric and dcPIM papers)", sizes: .dataMining),
    ]

    /// All that have a name.
    public static let all: [Workload] = published + fabric

    /// Finds a workload by name: `w1` … `w5`, `imc10`, `websearch`, `datamining`, or a fixed size in bytes such as
    /// `100`, `64K` or `1M` (powers of 1000). Upper and lower case are the same.
    public static func named(_ name: String) throws(WorkloadError) -> Workload {
        let key = name.lowercased()
        if let found = all.first(where: { $0.name == key }) { return found }
        guard let bytes = parseByteCount(key) else { throw .unknown(name) }
        return Workload(origin: "fixed size", sizes: .fixed(bytes))
    }

    /// Reads `100`, `64k` or `1m`; nil when it is no positive number or does not fit.
    private static func parseByteCount(_ text: String) -> Int? {
        let (digits, scale): (Substring, Int) =
            switch text.last {
            case "k": (text.dropLast(), 1000)
            case "m": (text.dropLast(), 1_000_000)
            default: (text[...], 1)
            }
        guard digits.allSatisfy(\.isNumber), let value = Int(digits), value > 0 else { return nil }
        let (bytes, overflow) = value.multipliedReportingOverflow(by: scale)
        return overflow ? nil : bytes
    }
}

/// A workload name that nothing is known by.
public enum WorkloadError: Error, Equatable, CustomStringConvertible {
    case unknown(String)

    public var description: String {
        switch self {
        case .unknown(let name):
            "unknown workload '\(name)': use w1, w2, w3, w4, w5, imc10, websearch, datamining, "
                + "or a message size such as 100, 64K or 1M"
        }
    }
}
