// A function on aws-lambda-go that does what its event says.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type event struct {
	Do   string `json:"do"`
	Text string `json:"text"`
}

type soItIs struct{}

func (soItIs) Error() string { return "so it is" }

func handle(ctx context.Context, given event) (any, error) {
	switch given.Do {
	case "echo":
		return given.Text, nil
	case "fail":
		return nil, errors.New("so it is")
	case "fail with a type":
		return nil, soItIs{}
	case "panic":
		panic("so it is")
	case "exit":
		os.Exit(3)
	case "sleep":
		<-ctx.Done()
		time.Sleep(time.Hour)
	case "context":
		return surroundings(ctx), nil
	case "stream":
		return pieces(given.Text), nil
	case "log":
		fmt.Println(given.Text)
	}
	return nil, nil
}

func surroundings(ctx context.Context) map[string]any {
	deadline, _ := ctx.Deadline()
	found, _ := lambdacontext.FromContext(ctx)
	return map[string]any{
		"request":   found.AwsRequestID,
		"arn":       found.InvokedFunctionArn,
		"title":     found.ClientContext.Client.AppTitle,
		"custom":    found.ClientContext.Custom,
		"remaining": time.Until(deadline).Milliseconds(),
		"function":  lambdacontext.FunctionName,
		"memory":    lambdacontext.MemoryLimitInMB,
		"trace":     os.Getenv("_X_AMZN_TRACE_ID"),
	}
}

// Each word is a piece; after "break" the stream fails.
func pieces(text string) io.Reader {
	reader, writer := io.Pipe()
	go func() {
		for _, word := range strings.Fields(text) {
			if word == "break" {
				writer.CloseWithError(errors.New("it broke"))
				return
			}
			fmt.Fprint(writer, word)
		}
		writer.Close()
	}()
	return reader
}

func main() {
	if os.Getenv("INIT") == "panic" {
		panic("no start")
	}
	lambda.Start(handle)
}
