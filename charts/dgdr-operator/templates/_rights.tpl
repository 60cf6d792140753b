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
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [configmaps]  # engine files that a graph mounts
  verbs: [get, create, patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "dgdr-operator.subjects" -}}
- kind: ServiceAccount
  name: {{ include "dgdr-operator.serviceaccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
