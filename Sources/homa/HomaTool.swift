// SPDX-License-Identifier: Apache-2.0

import HomaCommand

@main
enum HomaTool {
    static func main() async { await HomaCommand.runProgram() }
}
