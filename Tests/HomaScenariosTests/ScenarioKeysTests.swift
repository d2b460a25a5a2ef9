// SPDX-License-Identifier: Apache-2.0

import HomaScenarios
import Testing
