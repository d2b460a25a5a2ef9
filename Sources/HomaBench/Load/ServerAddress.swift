// SPDX-License-Identifier: Apache-2.0

package import HomaBase
package import HomaPosix

/// The numeric or named address of a server, with its port: the first that the system names.
package func resolve(_ text: String, defaultPort: UInt16? = nil) throws(ResolutionError) -> PeerAddress {
    guard let first = try AddressResolver.resolve(text, defaultPort: defaultPort).first else {
        throw .notFound(host: text, reason: "it has no address")
    }
    return first
}
