{{- /* Names and labels that several templates share. */ -}}

{{- /* The name of objects: at most 53 characters, so that a suffix still fits into a label's 63. */ -}}
{{- define "dgdr-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* The name of objects that no namespace keeps apart: two releases of one name must not meet. */ -}}
{{- define "dgdr-operator.clustername" -}}
{{- printf "%s:%s" .Release.Namespace (include "dgdr-operator.fullname" .) -}}
{{- end -}}

{{- /* The same for kinds whose names may not have a colon. */ -}}
{{- define "dgdr-operator.dashedname" -}}
{{- $full := printf "%s-%s" .Release.Namespace (include "dgdr-operator.fullname" .) -}}
{{- if gt (len $full) 48 -}}
{{- printf "%s-%s" ($full | trunc 39 | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{- define "dgdr-operator.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dgdr-operator.labels" -}}
{{ include "dgdr-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: dgdr-operator
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "dgdr-operator.serviceaccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "dgdr-operator.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "dgdr-operator.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* What every container of ours is held to: Pod Security "restricted", and a root file system that cannot be written. */ -}}
{{- define "dgdr-operator.containersecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "dgdr-operator.podsecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- /* What the pod proves itself with: a token that lives an hour and is renewed in place. */ -}}
{{- define "dgdr-operator.credentials" -}}
- name: credentials
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
      - configMap:
          name: kube-root-ca.crt
          items:
            - {key: ca.crt, path: ca.crt}
      - downwardAPI:
          items:
            - {path: namespace, fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}
{{- end -}}

{{- /* "true" where the nodes may be listed. */ -}}
{{- define "dgdr-operator.readsnodes" -}}
{{- if or (eq .Values.rbac.nodes "always") (and (eq .Values.rbac.nodes "auto") (not .Values.watch.namespaces)) -}}
true
{{- end -}}
{{- end -}}

{{- /* NAME=value,OTHER=value, as the settings read it; semicolons where a value has commas. */ -}}
{{- define "dgdr-operator.pairs" -}}
{{- $pairs := list -}}
{{- range $name, $value := . -}}
{{- $pairs = append $pairs (printf "%s=%s" $name $value) -}}
{{- end -}}
{{- if contains "," (values . | join "") -}}
{{- join ";" $pairs }};
{{- else -}}
{{- join "," $pairs -}}
{{- end -}}
{{- end -}}
