{{- /* What the controller does in a namespace with requests, and nothing beyond it. */ -}}
{{- define "dgdr-operator.rights" -}}
- apiGroups: [nvidia.com]
  resources: [dynamographdeploymentrequests]
  verbs: [get, list, watch]
- apiGroups: [nvidia.com]
  resources: [dynamographdeploymentrequests/status]
  verbs: [patch]
- apiGroups: [nvidia.com]
  resources: [dynamographdeployments]
  verbs: [get, list, watch, create, patch{{ if .Values.rbac.graphDeletion }}, delete{{ end }}]
- apiGroups: [""]
  resources: [configmaps]  # engine files that a graph mounts, and the report on a plan
  verbs: [get, create, patch]
- apiGroups: [""]
  resources: [resourcequotas]  # GPUs that a namespace has left
  verbs: [list]
{{- if ne .Values.controller.mode "owner" }}
- apiGroups: [batch]
  resources: [jobs]  # for which the platform's own controller waits
  verbs: [get]
{{- end }}
{{- if .Values.rbac.existence }}
- apiGroups: [""]
  resources: [persistentvolumeclaims, namespaces]  # is the model cache there, may pods lock memory
  verbs: [get]
{{- with compact (concat (list .Values.dynamo.huggingFaceSecret) .Values.graphs.imagePullSecrets .Values.rbac.secretNames) | uniq }}
- apiGroups: [""]
  resources: [secrets]  # that they exist: their content is not asked for
  resourceNames: {{ toJson . }}
  verbs: [get]
{{- end }}
{{- end }}
{{- if .Values.rbac.benchmarks }}
- apiGroups: [batch]
  resources: [jobs]  # that measure graphs whose requests want it
  verbs: [get, create, patch]
- apiGroups: [""]
  resources: [pods]  # the last words of such a Job
  verbs: [list]
{{- end }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]  # a repeat is counted in the first one
{{- end -}}

{{- define "dgdr-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "dgdr-operator.serviceaccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
