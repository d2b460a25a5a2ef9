// SPDX-License-Identifier: Apache-2.0

/// A request of the local application that the endpoint cannot carry out.
public enum EndpointError: Error, Equatable, Sendable, CustomStringConvertible {
    case messageLength(Int, limit: Int)
    case invalidPort(UInt16)
    case portInUse(UInt16)
    case tooManyRPCs(limit: Int)
    case tooManyPeers(limit: Int)
    case noFreeClientPort

    public var description: String {
        switch self {
        case .messageLength(let length, let limit): "message of \(length) bytes: the length must be 1 … \(limit)"
        case .invalidPort(let port): "port \(port): a server port is 1 … 32767, a client port 32768 … 65535"
        case .portInUse(let port): "port \(port) is open already"
        case .tooManyRPCs(let limit): "the limit of \(limit) RPCs at once is reached (maximumRPCs)"
        case .tooManyPeers(let limit): "the limit of \(limit) peers in use at once is reached (maximumPeers)"
        case .noFreeClientPort: "all 32768 client ports are in use"
        }
    }
}
