// SPDX-License-Identifier: Apache-2.0

package import HomaCore

/// What carries the messages.
package enum ProtocolChoice: String, CaseIterable, Sendable {
    case homa, tcp
    /// Single datagrams to and fro: the floor of round trips.
    case udp
    /// Trains of datagrams one way: the ceiling of goodput.
    case trains = "udp-trains"
}

/// Named sets of protocol settings.
package enum Preset: String, CaseIterable, Sendable {
    case `default`, linux2026, sigcomm2018
    case smallBuffers = "small-buffers"

    package var configuration: EndpointConfiguration {
        switch self {
        case .default: .default
        case .linux2026: .linux2026
        case .smallBuffers: .smallBuffers
        case .sigcomm2018: .sigcomm2018(scheduledLevels: 4)
        }
    }
}
