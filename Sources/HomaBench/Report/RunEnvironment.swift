// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What a figure was measured on. A figure without it is worth nothing.
public struct RunEnvironment: Sendable, Equatable {
    /// The version of this program.
    public static let programVersion = "0.1.0"

    /// `release` or `debug`: how this code was compiled.
    public var build: String
    /// The processor's name as the kernel gives it.
    public var processor: String
    /// Processors online.
    public var cores: Int
    /// Operating system and kernel version.
    public var kernel: String
    /// Largest packet of the path in bytes, as told by the caller; nil when unknown.
    public var mtu: Int?

    public init(build: String, processor: String, cores: Int, kernel: String, mtu: Int?) {
        self.build = build
        self.processor = processor
        self.cores = cores
        self.kernel = kernel
        self.mtu = mtu
    }

    /// This process on this machine.
    public static func current(mtu: Int? = nil) -> RunEnvironment {
        RunEnvironment(
            build: buildMode, processor: processorName() ?? "unknown processor",
            cores: sysconf(Int32(_SC_NPROCESSORS_ONLN)), kernel: kernelName(), mtu: mtu)
    }

    private static var buildMode: String {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }

    /// A line to print before any figure of a debug build; nil in a release build.
    public var debugWarning: String? {
        build == "release"
            ? nil : "WARNING: DEBUG BUILD. Figures are many times worse than real ones; use `swift build -c release`."
    }

    /// One line for people.
    public var summary: String { "\(machine), MTU \(mtu.map { "\($0) bytes" } ?? "unknown")" }

    /// The same for figures of simulated networks.
    public var simulationSummary: String { "\(machine), packets as each scenario has them" }

    private var machine: String { "\(build) build, \(processor), \(cores) cores, \(kernel)" }

    /// The record with this environment as context.
    public func annotate(_ record: ResultRecord) -> ResultRecord {
        let named = record.with("version", Self.programVersion).with("build", build).with("machine", processor)
            .with("cores", cores).with("kernel", kernel)
        return mtu.map { named.with("mtu_bytes", $0) } ?? named
    }

    /// The first `model name` of /proc/cpuinfo.
    private static func processorName() -> String? {
        for line in readText("/proc/cpuinfo").split(separator: "\n") where line.hasPrefix("model name") {
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return String(line[line.index(after: colon)...].drop(while: \.isWhitespace))
        }
        return nil
    }

    private static func kernelName() -> String {
        let type = readText("/proc/sys/kernel/ostype").prefix { !$0.isNewline }
        let release = readText("/proc/sys/kernel/osrelease").prefix { !$0.isNewline }
        return "\(type) \(release)"
    }

    /// The first 16 kB of a file; empty when it cannot be read.
    private static func readText(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        let bytes = [UInt8](unsafeUninitializedCapacity: 16_384) { buffer, count in
            count = max(0, read(file, buffer.baseAddress, buffer.count))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
