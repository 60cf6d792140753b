{{- /* Where traces go, in the standard variables; nothing unless they are wanted. */ -}}
{{- define "dgdr-operator.tracing" -}}
{{- with .Values.tracing -}}
{{- if .enabled }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .endpoint | quote }}}
- {name: OTEL_SERVICE_NAME, value: {{ .serviceName | quote }}}
- {name: OTEL_TRACES_SAMPLER, value: parentbased_traceidratio}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ .samplingRatio | toString | quote }}}
{{- with .resourceAttributes }}
{{- $pairs := list -}}
{{- range $name, $value := . -}}
{{- $pairs = append $pairs (printf "%s=%s" $name $value) -}}
{{- end }}
- {name: OTEL_RESOURCE_ATTRIBUTES, value: {{ join "," $pairs | quote }}}
{{- end }}
{{- with .headers.secretName }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef: {name: {{ . }}, key: {{ $.Values.tracing.headers.secretKey | quote }}, optional: true}  # serving does not wait for traces
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{- /* The port that the endpoint names, or that its scheme means. */ -}}
{{- define "dgdr-operator.tracingport" -}}
{{- $parts := urlParse .Values.tracing.endpoint -}}
{{- $named := regexFind ":[0-9]+$" $parts.host -}}
{{- if $named -}}
{{- trimPrefix ":" $named -}}
{{- else -}}
{{- ternary "443" "80" (eq $parts.scheme "https") -}}
{{- end -}}
{{- end -}}
