import Curlew

/// A room and its heating.
actor Heating {
    struct Target: Codable, Sendable {
        var celsius: Double
    }

    struct Status: Codable, Sendable {
        var celsius: Double
        var target: Double
    }

    private(set) var status = Status(celsius: 20, target: 20)

    /// Sets the wanted temperature. The caller gets an error for one that the heating does not have.
    func set(_ target: Target) throws -> Status {
        guard (5...30).contains(target.celsius) else {
            throw MQTTDeviceError(400, "The temperature must be between 5 and 30 degrees.")
        }
        self.status.target = target.celsius
        return self.status
    }

    private func step() -> Status {
        self.status.celsius += (self.status.target - self.status.celsius) / 10
        return self.status
    }

    /// The status at each interval.
    nonisolated func readings(every interval: Duration) -> AsyncStream<Status> {
        AsyncStream {
            guard (try? await Task.sleep(for: interval)) != nil else { return nil }
            return await self.step()
        }
    }
}
