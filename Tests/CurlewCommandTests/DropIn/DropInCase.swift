#if Tools
import Foundation
import MosquittoFixture

/// A command line that must have the same result with each tool.
struct DropInCase: Sendable, CustomStringConvertible {
    /// The three programs with a counterpart.
    enum Tool: String, Sendable {
        case publish = "mosquitto_pub"
        case subscribe = "mosquitto_sub"
        case request = "mosquitto_rr"

        var subcommand: String {
            switch self {
            case .publish: "pub"
            case .subscribe: "sub"
            case .request: "request"
            }
        }
    }

    let tool: Tool
    /// Arguments without the broker's address. `{port}` is the port of the plain broker, `{tls}` and `{psk}` are ports
    /// of other listeners, `{fixtures}` is the folder of certificates, `{folder}` a folder of files, and `{who}` the
    /// tool that runs the case.
    let arguments: [String]
    var input = ""
    /// The content of the tool's options file.
    var file: String?
    /// Whether digits depend on the time and are therefore not compared.
    var masksDigits = false
    /// Whether the output contains the packet trace, which is not compared.
    var hasTrace = false
    /// Whether mosquitto has a specific exit code where Curlew has 1.
    var failsOtherwise = false
    /// Whether curlew refuses the case when called by its own name.
    var isForLinkOnly = false
    /// Whether to leave out the broker's port.
    var hasServer = false

    init(_ tool: Tool, _ arguments: [String]) {
        self.tool = tool
        self.arguments = arguments
    }

    /// - Parameter line: Arguments, separated by spaces.
    init(_ tool: Tool, _ line: String) {
        self.init(tool, line.split(separator: " ").map(String.init))
    }

    func with<Value>(_ path: WritableKeyPath<Self, Value>, _ value: Value) -> Self {
        var copy = self
        copy[keyPath: path] = value
        return copy
    }

    var description: String { "\(self.tool.rawValue) \(self.arguments.joined(separator: " "))" }
}

/// The result of a case.
struct DropInOutcome: Equatable, CustomStringConvertible {
    var exitCode: Int32
    var output: String

    var description: String { "exit code \(self.exitCode), output \(self.output.debugDescription)" }
}

extension DropInCase {
    /// What must be the same: the comparable output and the exit code.
    func compared(_ outcome: Subprocess.Outcome) -> DropInOutcome {
        var output = outcome.output
        // For some errors, mosquitto writes its whole help to standard output.
        if outcome.exitCode == 1, output.contains("\n\nUsage: mosquitto_") { output = "" }
        if self.hasTrace {
            output = output.split(separator: "\n", omittingEmptySubsequences: false)
                .filter { !$0.hasPrefix("Client ") && !$0.hasPrefix("Subscribed (") }.joined(separator: "\n")
        }
        output = output.replacing(#/"tst":(\s*)"[^"]*"/#) { "\"tst\":\($0.output.1)\"now\"" }
        if self.masksDigits { output = output.replacing(#/[0-9]/#, with: "0") }
        return DropInOutcome(
            exitCode: self.failsOtherwise ? min(outcome.exitCode, 1) : outcome.exitCode, output: output)
    }
}
#endif
