// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaPosix

/// What the system granted a socket of what was asked for.
struct GrantedOptions {
    /// In the unit of ``UDPSocketOptions/receiveBufferBytes``.
    var receiveBufferBytes = 0
    var sendBufferBytes = 0
    /// The system joins received trains.
    var isUsingGRO = false
    /// Names of options that it refused.
    var refused: [String] = []

    /// What is less than was asked for, in words, for whoever runs the program.
    func shortfalls(_ options: UDPSocketOptions) -> [String] {
        var result: [String] = []
        for (name, granted, wanted, limit) in [
            ("receive", receiveBufferBytes, options.receiveBufferBytes, "net.core.rmem_max"),
            ("send", sendBufferBytes, options.sendBufferBytes, "net.core.wmem_max"),
        ] where granted < wanted {
            result.append("the system granted \(granted) of \(wanted) bytes of \(name) buffer; see the sysctl \(limit)")
        }
        guard !refused.isEmpty else { return result }
        return result + ["the system refused the socket options \(refused.joined(separator: ", "))"]
    }
}

/// Whether the system lets this process send and receive many messages with one call; sandboxes may not.
struct BatchCalls {
    private let sendCode: Int32
    private let receiveCode: Int32

    private let isWanted: Bool

    init(_ socket: borrowing UDPSocket, _ options: UDPSocketOptions) {
        isWanted = options.batching == .automatic
        sendCode = isWanted ? -homa_may_send_many(socket.descriptor) : 0
        receiveCode = isWanted ? -homa_may_receive_many(socket.descriptor) : 0
    }

    var canSend: Bool { isWanted && sendCode == 0 }
    var canReceive: Bool { isWanted && receiveCode == 0 }

    var shortfalls: [String] {
        [("sendmmsg", sendCode), ("recvmmsg", receiveCode)].filter { $0.1 != 0 }.map {
            "the system refuses \($0.0) (\(SystemError.name(of: $0.1))): packets take a call each"
        }
    }
}

extension homa_sender {
    init(_ socket: borrowing UDPSocket, _ calls: BatchCalls, usualClass: UInt8) {
        self.init(
            fd: socket.descriptor, family: socket.family, is_connected: 0, is_singly: calls.canSend ? 0 : 1,
            usual_traffic_class: usualClass)
    }
}
