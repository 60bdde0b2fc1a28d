import CurlewCore
import Tracing

/// Writes a trace context to user properties and reads it there, under the names that the tracer chooses.
private struct PropertiesCarrier: Injector, Extractor {
    func inject(_ value: String, forKey key: String, into carrier: inout Properties) { carrier[key] = value }
    func extract(key: String, from carrier: Properties) -> String? { carrier[key] }
}

extension ClientEngine {
    /// The properties with the context of the current trace, if there is one. Costs a look at a task-local value otherwise.
    func traced(_ properties: Properties) -> Properties {
        guard let context = ServiceContext.current, !context.isEmpty else { return properties }
        var properties = properties
        InstrumentationSystem.instrument.inject(context, into: &properties, using: PropertiesCarrier())
        return properties
    }

    /// The trace that a message belongs to.
    func context(of message: MQTTMessage) -> ServiceContext {
        var context = ServiceContext.current ?? .topLevel
        InstrumentationSystem.instrument.extract(message.properties, into: &context, using: PropertiesCarrier())
        return context
    }
}
