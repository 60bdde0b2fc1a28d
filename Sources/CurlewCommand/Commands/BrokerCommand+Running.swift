#if Tools
import ArgumentParser
import CurlewBroker
import Logging

extension BrokerCommand {
    func run() async throws {
        // Every client takes a file descriptor.
        try FileLimit.raise()
        let early = EarlyLog()
        let plan = try await BrokerPlan(
            self.options, accounts: FilesOfAccounts(logger: early.logger), files: .system,
            variable: environmentVariable,
            complain: { Diagnostics.say($0) })
        // A parent process that does not read must not block the broker.
        let standardOutput = LineWriter(.standardOutput, describe: LogSink.describe)
        let run = try BrokerRun(
            plan, hasColour: environmentVariable("NO_COLOR") == nil, early: early,
            announce: { line in standardOutput.write(Array("\(line)\n".utf8)) },
            tellReady: { [ready = self.options.ready] in ready?.tell() }, standardOutput: standardOutput,
            makeBroker: { MQTTBroker($0, logger: $1) })
        try await run.run()
    }
}

extension MQTTBroker: RunnableBroker {
    var ports: [Int] { self.listeners.map(\.port) }
}

/// The library's password files, access files and user names from certificates.
private struct FilesOfAccounts: BrokerAccounts {
    /// Gets warnings about files that can be used despite a problem.
    let logger: Logger

    func passwords(_ path: String) async throws -> any MQTTBrokerAuthenticator {
        #if Accounts
        do {
            return try await MQTTPasswordFile(path: path, logger: self.logger)
        } catch {
            let error = MQTTBrokerError(of: error)
            throw CommandFailure(error.message)
        }
        #else
        throw CommandFailure(
            "curlew was built without the package trait Accounts and cannot read password files.")
        #endif
    }

    func access(_ path: String) async throws -> any MQTTBrokerAuthorizer {
        do { return try await MQTTAccessFile(path: path) } catch {
            let error = MQTTBrokerError(of: error)
            throw CommandFailure(error.message)
        }
    }

    func certificates(_ name: CertificateName) throws -> any MQTTBrokerAuthenticator {
        #if Accounts
        switch name {
        case .commonName: MQTTCertificateIdentity.commonName
        case .subject: MQTTCertificateIdentity.subject
        }
        #else
        throw CommandFailure(
            "curlew was built without the package trait Accounts and cannot read names from certificates.")
        #endif
    }
}
#endif
