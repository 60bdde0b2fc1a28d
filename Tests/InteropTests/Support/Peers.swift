import Foundation

/// Which of the programs that tests speak with are there. Where they have to be (`CURLEW_REQUIRE_PEERS=1`), their absence is a failure
/// and not a reason to skip.
enum Peers {
    private static let environment = ProcessInfo.processInfo.environment
    static let areRequired = environment["CURLEW_REQUIRE_PEERS"] == "1"

    static let haveMosquitto = areRequired || Subprocess.find("mosquitto") != nil
    static let haveMosquittoTools =
        haveMosquitto
        && (areRequired
            || ["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"].allSatisfy { Subprocess.find($0) != nil })
    static let havePython = haveMosquitto && (areRequired || FileManager.default.isExecutableFile(atPath: python))

    /// The interpreter of the environment that `scripts/test` makes.
    static let python = environment["CURLEW_PYTHON"] ?? "\(repository)/.venv/bin/python"

    private static let repository = URL(filePath: #filePath).appending(path: "../../../..").standardized.path
    static let scripts = URL(filePath: #filePath).appending(path: "../../Peers").standardized.path
    /// Keys and certificates, shared with the tests of the transport.
    static let certificates = "\(repository)/Tests/CurlewTransportTests/Fixtures"
}
