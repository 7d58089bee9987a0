# frozen_string_literal: true

require_relative 'client'
require_relative 'context'
require_relative 'failure'
require_relative 'handler'
require_relative 'logs'
require_relative 'marshaller'

module Lampejo
  # One invocation after the other.
  class Loop
    # What Lambda's runtime ends with.
    INIT_FAILED = -4
    HANDLER_FAILED = -1

    def initialize
      @client = Client.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
      @handler = load_handler
    end

    def run
      loop { serve(@client.next) }
    end

    private

    def load_handler
      name = ENV.fetch('_HANDLER')
      Handler.new(name).tap(&:load)
    rescue Exception => error
      stop(nil, Failure.new(error, 'Init'), "Init error when loading handler #{name}", INIT_FAILED)
    end

    def serve(event)
      id = event['Lambda-Runtime-Aws-Request-Id']
      Logs.begin_invocation(id)
      ENV['_X_AMZN_TRACE_ID'] = event['Lambda-Runtime-Trace-Id']
      response = @handler.call(AwsLambda::Marshaller.marshall_request(event), LambdaContext.new(event))
      body, content_type = AwsLambda::Marshaller.marshall_response(response)
      body = body.read unless body.is_a?(String)
      @client.respond(id, body, content_type || 'application/json')
    rescue Exception => error
      failed(id, error)
    end

    # Lambda goes on after ordinary errors only: code that names what is not there will not get better.
    def failed(id, error)
      failure = Failure.new(error, 'Function')
      if !error.is_a?(StandardError) || error.is_a?(NameError)
        stop(id, failure, 'Critical exception from handler', HANDLER_FAILED)
      end
      Logs.failure('Error raised from handler method', failure.document)
      @client.fail(id, failure.type, JSON.generate(failure.document))
    end

    def stop(id, failure, what, status)
      Logs.failure(what, failure.document)
      @client.fail_and_stop(id, failure.type, JSON.generate(failure.document))
      exit(status)
    end
  end
end
