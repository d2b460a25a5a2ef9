// SPDX-License-Identifier: Apache-2.0

internal import CHomaPosix
internal import Glibc
internal import HomaBase

extension UDPDriver {
    /// Takes the next report about packets sent earlier; nil when there is none now.
    ///
    /// Call it when ``mayHaveErrors`` or a ``Poller/Events/error`` says so, until it answers nil.
    public mutating func nextError() -> DriverError? {
        while true {
            var record = homa_socket_error()
            var code = -homa_receive_error(main.descriptor, &record)
            if code == EAGAIN, let descriptor = connected?.descriptor {
                code = -homa_receive_error(descriptor, &record)
            }
            if code == EINTR { continue }
            guard code == 0 else { break }
            if record.is_malformed != 0 {
                statistics.malformedErrorReports += 1
                continue
            }
            let kind = DriverError.Kind(record)
            // The flush that met it has made a better report: this one may lack the port.
            if Int32(record.origin) == errorOriginLocal, case .messageTooBig = kind { continue }
            statistics.errorReports += 1
            return DriverError(kind: kind, peer: PeerAddress(record.peer), record: record)
        }
        guard let record = reports.removeFirst() else {
            mayHaveErrors = false
            return nil
        }
        let peer = PeerAddress(record.peer)
        statistics.errorReports += 1
        return DriverError(kind: .messageTooBig(mtu: lookUpPathMTU(to: peer) ?? 0), peer: peer, record: record)
    }
}
