// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HomaBase
import HomaCore

/// Named sets of protocol settings.
enum Preset: String, ExpressibleByArgument, CaseIterable, Sendable {
    case `default`, linux2026, sigcomm2018
    case smallBuffers = "small-buffers"

    var configuration: EndpointConfiguration {
        switch self {
        case .default: .default
        case .linux2026: .linux2026
        case .smallBuffers: .smallBuffers
        case .sigcomm2018: .sigcomm2018(scheduledLevels: 4)
        }
    }
}

/// Options of every command that opens a Homa node.
struct NodeOptions: ParsableArguments {
    @Option(help: "How long an idle engine looks for work before it sleeps, e.g. 50us, 0s or forever.")
    var spin = SpinTime(.microseconds(50))

    @Option(help: "Receive region in bytes, e.g. 64Mi.")
    var region: ByteCount?

    @Option(help: "Largest IP packet; by default asked of the system.")
    var mtu: Int?

    @Option(help: "Protocol settings: default, linux2026, small-buffers or sigcomm2018.")
    var preset: Preset = .default

    @Option(help: "Link rate for the pacer, e.g. 10Gbit; off by default.")
    var link: LinkRate?

    var isDefault: Bool { region == nil && mtu == nil && preset == .default }

    func validate() throws {
        if let mtu, !(576...65_535).contains(mtu) {
            throw ValidationError("--mtu \(mtu): must be 576 … 65535")
        }
    }
}
