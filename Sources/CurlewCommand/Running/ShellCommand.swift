#if Tools
import Curlew
import CurlewTransport
import Dispatch

/// Runs a shell command with an input and collects its output.
enum ShellCommand {
    /// Why there is no output.
    enum Problem: Error, Equatable, CustomStringConvertible {
        case notStarted(SystemError)
        case endedWith(Int32)
        case endedBySignal(Int32)
        case tooMuchOutput
        case cancelled

        /// The problem with how a process ended; `nil` for exit code 0.
        fileprivate init?(_ end: ChildProcess.End) {
            switch end {
            case .code(0): return nil
            case .code(let code): self = .endedWith(code)
            case .signal(let signal): self = .endedBySignal(signal)
            }
        }

        var description: String {
            switch self {
            case .notStarted(let error): "it could not be started: \(error)"
            case .endedWith(let code): "exit code \(code)"
            case .endedBySignal(let signal): "it was terminated by signal \(signal)"
            case .tooMuchOutput: "its output is larger than a message can be"
            case .cancelled: "it was cancelled"
            }
        }
    }

    /// Runs a command. It shares standard error with this process.
    ///
    /// Cancelling the task terminates the command.
    ///
    /// - Parameter environment: Environment variables in addition to those of this process.
    /// - Returns: Its standard output, if the exit code is 0.
    static func run(
        _ command: String, input: [UInt8], environment: [String: String]
    ) async throws(Problem) -> [UInt8] {
        let child: ChildProcess
        do throws(SystemError) {
            child = try ChildProcess.start(
                ["/bin/sh", "-c", command], environment: currentEnvironment(with: environment))
        } catch {
            throw .notStarted(error)
        }
        let output = OneShot<[UInt8]?>()
        let ended = OneShot<Problem?>()
        // Both at once: a command that writes before it has read everything would otherwise wait forever.
        DispatchQueue.global().async {
            // A command need not read its input.
            try? child.input.writeAll(input)
            child.input.closeFile()
        }
        DispatchQueue.global().async {
            output.set(Self.readAll(child.output))
            child.output.closeFile()
            ended.set(Problem(child.waitForEnd()))
        }
        // Waits for the command even when the task is cancelled, so that no process is left behind.
        let result = await withTaskCancellationHandler {
            await Task { (output: await output.wait() ?? nil, problem: await ended.wait() ?? nil) }.value
        } onCancel: {
            child.send(terminationSignal)
        }
        if Task.isCancelled { throw .cancelled }
        guard let bytes = result.output else { throw .tooMuchOutput }
        if let problem = result.problem { throw problem }
        return bytes
    }

    /// `nil` if there is more than a message can contain.
    private static func readAll(_ descriptor: Descriptor) -> [UInt8]? {
        var bytes: [UInt8] = []
        while let more = try? descriptor.readSome(65_536), !more.isEmpty {
            bytes += more
            if bytes.count > Input.maximumMessageSize { return nil }
        }
        return bytes
    }
}
#endif
