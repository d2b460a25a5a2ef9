// SPDX-License-Identifier: Apache-2.0

extension SizeDistribution {
    /// W5: The web search cluster of the DCTCP paper, in whole packets of 1442 bytes.
    ///
    /// Source: Alizadeh et al., *Data Center TCP*, SIGCOMM 2010; the digits come
    /// from the size tables published with the Homa simulator and kernel module, thinned to at most 48
    /// rows. Mean of the full table: 2 515 857 bytes (2 564 690 in the kernel form, with 1470-byte packets).
    public static let w5 = SizeDistribution(
        name: "w5",
        table: [
            (1442, 0.0), (1442, 0.0125), (8652, 0.1375), (10094, 0.153571), (18746, 0.196429),
            (28840, 0.303571), (47586, 0.396429), (77868, 0.530438), (193228, 0.600094), (961814, 0.698783),
            (1922186, 0.798799), (4806186, 0.89875), (10095442, 0.901253), (21149814, 0.958753),
            (24033814, 0.973753), (26437628, 0.986256), (28840000, 1.0),
        ])
}
