// SPDX-License-Identifier: Apache-2.0

extension SizeDistribution {
    /// W1: Facebook's general-purpose memcached pool (ETC). Above 15 bytes the sizes follow a generalized
    /// Pareto distribution (shape 0.348238, scale 214.476); 47 % of the messages have at most 15 bytes.
    ///
    /// Source: Atikoglu et al., *Workload Analysis of a Large-Scale Key-Value Store*, SIGMETRICS 2012; the digits come
    /// from the size tables published with the Homa simulator and kernel module, thinned to at most 48
    /// rows. Mean of the full table: 187.8 bytes (189.2 in the kernel form).
    public static let w1 = SizeDistribution(
        name: "w1",
        table: [
            (1, 0.0), (2, 0.09493), (3, 0.230225), (4, 0.27651), (6, 0.304325), (9, 0.315125), (10, 0.323495),
            (12, 0.41803), (13, 0.42012), (14, 0.43165), (16, 0.474224), (19, 0.479261), (41, 0.530129),
            (79, 0.600504), (123, 0.665455), (191, 0.740774), (249, 0.787719), (324, 0.833131), (376, 0.856795),
            (518, 0.902843), (694, 0.935931), (930, 0.960245), (1246, 0.976733), (1485, 0.983567),
            (1719, 0.987871), (2109, 0.992227), (2588, 0.995122), (3467, 0.997571), (4013, 0.998306),
            (4645, 0.998827), (5535, 0.999252), (6792, 0.999562), (8582, 0.999765), (9932, 0.999841),
            (12188, 0.999909), (14955, 0.999948), (16810, 0.999962), (20033, 0.999977), (23874, 0.999986),
            (30164, 0.999993), (34911, 0.999995), (42838, 0.999997), (48152, 0.999998), (57383, 0.999999),
            (68385, 0.999999), (79147, 1.0), (97119, 1.0), (100000, 1.0),
        ])
}
