// SPDX-License-Identifier: Apache-2.0

/// The tables that the simulations of pFabric, pHost and dcPIM have in common, in packets of 1460 bytes.
///
/// Source: the distributions in the repository of the dcPIM paper (SIGCOMM 2022; Terabit-Ethernet/dcPIM), which its
/// simulator interpolates linearly and rounds to whole packets; here they are not rounded.
extension SizeDistribution {
    private static func packets(_ name: String, _ table: [(Int, Double)]) -> SizeDistribution {
        SizeDistribution(name: name, table: table.map { ($0.0 * 1460, $0.1) })
    }

    /// A university's datacenter, after Benson, Akella and Maltz, *Network Traffic Characteristics of Data Centers in
    /// the Wild*, IMC 2010. 80 % of the messages have at most 7 packets. Mean 195 kB.
    public static let imc10 = packets(
        "imc10",
        [
            (1, 0), (1, 0.5), (2, 0.6), (3, 0.7), (5, 0.75), (7, 0.8), (40, 0.8125), (72, 0.825), (137, 0.85),
            (267, 0.9), (1187, 0.95), (2107, 1),
        ])

    /// The web search cluster of the DCTCP paper (Alizadeh et al., SIGCOMM 2010), as pFabric's authors tabulated it.
    /// Mean 1.7 MB.
    public static let webSearch = packets(
        "websearch",
        [
            (6, 0), (6, 0.15), (13, 0.2), (19, 0.3), (33, 0.4), (53, 0.53), (133, 0.6), (667, 0.7), (1333, 0.8),
            (3333, 0.9), (6667, 0.97), (20000, 1),
        ])

    /// The data mining cluster of the VL2 paper (Greenberg et al., SIGCOMM 2009), as pFabric's authors tabulated it.
    /// Mean 7.5 MB; the longest message has 973 MB.
    public static let dataMining = packets(
        "datamining",
        [
            (1, 0), (1, 0.5), (2, 0.6), (3, 0.7), (7, 0.8), (267, 0.9), (2107, 0.95), (66667, 0.99), (666_667, 1),
        ])
}
