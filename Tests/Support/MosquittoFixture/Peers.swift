import Foundation

/// The programs that tests need and that are installed. If they are required (`CURLEW_REQUIRE_PEERS=1`), a missing one
/// is a failure instead of a reason to skip.
package enum Peers {
    private static let environment = ProcessInfo.processInfo.environment
    package static let areRequired = environment["CURLEW_REQUIRE_PEERS"] == "1"

    package static let haveMosquitto = areRequired || Subprocess.find("mosquitto") != nil
    package static let haveMosquittoTools =
        haveMosquitto
        && (areRequired
            || ["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"].allSatisfy { Subprocess.find($0) != nil })
    package static let havePython = haveMosquitto && (areRequired || Subprocess.find(python) != nil)

    /// The interpreter in the environment that `scripts/test` makes.
    package static let python = environment["CURLEW_PYTHON"] ?? "\(repository)/.venv/bin/python"

    private static let repository = URL(filePath: #filePath).appending(path: "../../../..").standardized.path
    /// Keys and certificates, shared with the transport's tests.
    package static let certificates = "\(repository)/Tests/CurlewTransportTests/Fixtures"
}
